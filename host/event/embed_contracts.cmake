# cmake -DOUTPUT=x.cpp -DDIRECTORY=contracts -DTYPES=a.v1,b.v1 -P embed_contracts.cmake: writes the contracts as C++ literals.
string(REPLACE "," ";" types "${TYPES}")
set(entries "")
foreach(type IN LISTS types)
  file(READ ${DIRECTORY}/${type}.json text)
  string(APPEND entries "    {\"${type}\", R\"weir(${text})weir\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made by embed_contracts.cmake from contracts/; not to be edited.
#include \"built_in_contracts.hpp\"

namespace weir::event {

namespace {
constexpr BuiltInContract kContracts[]{
${entries}};
} // namespace

std::span<const BuiltInContract> built_in_contracts() noexcept { return kContracts; }

} // namespace weir::event
")
