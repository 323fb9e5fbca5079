# How plugins are built, inside Weir and outside it.
include_guard(GLOBAL)
set(WEIR_PLUGIN_MAP ${CMAKE_CURRENT_LIST_DIR}/plugin.map CACHE INTERNAL "What a plugin shows")

# weir_add_plugin(NAME SOURCES a.cpp... [LINKS targets...] [OUTPUT_DIRECTORY directory])
#
# A plugin NAME.so, as a target NAME. NAME is the plugin's name ("linting"). Nothing but the entry and the handlers is
# visible in it; a symbol that nobody defines is an error here and not when the host loads it.
function(weir_add_plugin NAME)
  cmake_parse_arguments(ARG "" "OUTPUT_DIRECTORY" "SOURCES;LINKS" ${ARGN})
  if(NOT ARG_SOURCES)
    message(FATAL_ERROR "weir_add_plugin(${NAME}): name its source files after SOURCES")
  endif()
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "weir_add_plugin(${NAME}): unknown arguments: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT NAME MATCHES "^[a-z][a-z0-9-]*$")
    message(FATAL_ERROR "weir_add_plugin(${NAME}): a plugin's name is [a-z][a-z0-9-]{0,62}")
  endif()
  if(NOT ARG_OUTPUT_DIRECTORY)
    set(ARG_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
  endif()
  add_library(${NAME} MODULE ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE weir::sdk ${ARG_LINKS})
  foreach(language_and_standard IN ITEMS "C c_std_11" "CXX cxx_std_20")
    string(REPLACE " " ";" pair "${language_and_standard}")
    list(GET pair 0 language)
    list(GET pair 1 standard)
    if(CMAKE_${language}_COMPILER_LOADED)
      target_compile_features(${NAME} PRIVATE ${standard})
    endif()
  endforeach()
  # STB_GNU_UNIQUE symbols would keep an old generation's state alive in the next one
  target_compile_options(${NAME} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  set_target_properties(${NAME} PROPERTIES
    PREFIX "" OUTPUT_NAME ${NAME} SUFFIX ".so" LIBRARY_OUTPUT_DIRECTORY ${ARG_OUTPUT_DIRECTORY}
    POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_options(${NAME} PRIVATE -Wl,--version-script=${WEIR_PLUGIN_MAP})
  set_property(TARGET ${NAME} APPEND PROPERTY LINK_DEPENDS ${WEIR_PLUGIN_MAP})
  # a sanitizer's own symbols come from the program that loads the plugin
  get_directory_property(directory_options LINK_OPTIONS)
  set(flags "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS} ${CMAKE_MODULE_LINKER_FLAGS} ${directory_options}")
  if(NOT flags MATCHES "-fsanitize=")
    target_link_options(${NAME} PRIVATE -Wl,-z,defs)
  endif()
endfunction()

# weir_add_plugin_test(NAME PLUGIN plugin SOURCES a.cpp... [LINKS targets...])
#
# A test program NAME, run by ctest, that finds the plugin's file in WEIR_PLUGIN_FILE and loads it with <weir/testkit.hpp>.
function(weir_add_plugin_test NAME)
  cmake_parse_arguments(ARG "" "PLUGIN" "SOURCES;LINKS" ${ARGN})
  if(NOT ARG_PLUGIN OR NOT ARG_SOURCES)
    message(FATAL_ERROR "weir_add_plugin_test(${NAME}): name the plugin's target after PLUGIN and the test's files after SOURCES")
  endif()
  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE weir::sdk ${CMAKE_DL_LIBS} ${ARG_LINKS})
  target_compile_features(${NAME} PRIVATE cxx_std_20)
  target_compile_definitions(${NAME} PRIVATE WEIR_PLUGIN_FILE="$<TARGET_FILE:${ARG_PLUGIN}>")
  add_dependencies(${NAME} ${ARG_PLUGIN})
  add_test(NAME ${NAME} COMMAND ${NAME})
endfunction()
