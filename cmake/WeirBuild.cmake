# How everything here is compiled, and the walls between the folders.
include_guard(GLOBAL)
include(GNUInstallDirs)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(WEIR_CCACHE ccache)
if(WEIR_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${WEIR_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${WEIR_CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>)
if(WEIR_WARNINGS_AS_ERRORS)
  add_compile_options(-Werror)
endif()
if(WEIR_SANITIZE)
  add_compile_options(-fsanitize=${WEIR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  # With a sanitizer GCC 12 suspects std::function, as <regex> uses it, of being uninitialised.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  add_link_options(-fsanitize=${WEIR_SANITIZE})
  if(WEIR_SANITIZE_NOT)
    add_compile_options(-fno-sanitize=${WEIR_SANITIZE_NOT})
  endif()
endif()

find_package(Threads REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)

# weir_module(NAME PATH store HEADERS a.hpp... SOURCES a.cpp... [LINKS public...] [PRIVATE_LINKS private...])
#
# A static library `weir_NAME` of the folder it is called in. Its headers are seen as "PATH/a.hpp", and only by targets that
# link it: they are linked into a directory of their own, so that a forbidden include is not found.
function(weir_module NAME)
  cmake_parse_arguments(ARG "" "PATH" "HEADERS;SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  set(kind STATIC)
  set(scope PUBLIC)
  if(NOT ARG_SOURCES)
    set(kind INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(weir_${NAME} ${kind} ${ARG_SOURCES})
  set(wall ${CMAKE_BINARY_DIR}/walls/${NAME})
  file(REMOVE_RECURSE ${wall})
  file(MAKE_DIRECTORY ${wall}/${ARG_PATH})
  foreach(header IN LISTS ARG_HEADERS)
    file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/${header} ${wall}/${ARG_PATH}/${header} SYMBOLIC)
  endforeach()
  target_include_directories(weir_${NAME} ${scope} ${wall})
  target_link_libraries(weir_${NAME} ${scope} ${ARG_LINKS})
  if(ARG_PRIVATE_LINKS)
    target_link_libraries(weir_${NAME} PRIVATE ${ARG_PRIVATE_LINKS})
  endif()
endfunction()

# weir_test(NAME SOURCES a.cpp... LINKS targets... [LABELS labels...] [TIMEOUT seconds])
#
# A Catch2 program `test_NAME`, one entry in ctest. Tests find the build through the variables set here.
function(weir_test NAME)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINKS;LABELS" ${ARGN})
  add_executable(test_${NAME} ${ARG_SOURCES})
  target_link_libraries(test_${NAME} PRIVATE weir_test_support ${ARG_LINKS})
  set_target_properties(test_${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  weir_test_entry(${NAME} test_${NAME} "${ARG_TIMEOUT}" ${ARG_LABELS})
endfunction()

# weir_outside_test(NAME SOURCES a.cpp... LINKS targets... [DEPENDS targets...] [LABELS labels...] [TIMEOUT seconds])
#
# The same for a program that starts what is built, the DEPENDS, and looks at it from outside. It can be that of another build: with
# WEIR_OUTSIDE_TESTS, the directory of the other build's tests, it isn't compiled here, and looks at what is built here all the same.
set(WEIR_OUTSIDE_TESTS "" CACHE PATH "Another build's tests/: its programs that start what is built are taken instead of being compiled again")
function(weir_outside_test NAME)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINKS;LABELS;DEPENDS" ${ARGN})
  if(WEIR_OUTSIDE_TESTS)
    add_custom_target(test_${NAME} ALL DEPENDS ${ARG_DEPENDS})
    weir_test_entry(${NAME} ${WEIR_OUTSIDE_TESTS}/test_${NAME} "${ARG_TIMEOUT}" ${ARG_LABELS} outside)
  else()
    weir_test(${NAME} SOURCES ${ARG_SOURCES} LINKS ${ARG_LINKS} LABELS ${ARG_LABELS} outside TIMEOUT ${ARG_TIMEOUT})
    weir_compile_outside(test_${NAME})
    add_dependencies(test_${NAME} ${ARG_DEPENDS})
  endif()
  set_property(GLOBAL APPEND PROPERTY WEIR_OUTSIDE_TARGETS test_${NAME})
endfunction()

# Half of what these take to compile is optimizing them, and they wait for most of their time. Where no other build looks at their
# warnings, CI's does.
function(weir_compile_outside TARGET)
  target_compile_options(${TARGET} PRIVATE -O0 $<$<BOOL:$ENV{CI}>:-Werror>)
endfunction()

# For libraries that do something once a command, or once a start, and whose headers are all templates: with sanitizers, optimizing them
# takes longer than it ever saves.
function(weir_compile_plainly TARGET)
  if(WEIR_SANITIZE)
    target_compile_options(${TARGET} PRIVATE -O0)
  endif()
endfunction()

function(weir_test_entry NAME PROGRAM TIMEOUT)
  if(NOT TIMEOUT)
    set(TIMEOUT 300)
  endif()
  set(sanitized 0)
  if(WEIR_SANITIZE)
    set(sanitized 1)
  endif()
  add_test(NAME ${NAME} COMMAND ${PROGRAM} --order rand --rng-seed time)
  set_tests_properties(${NAME} PROPERTIES TIMEOUT ${TIMEOUT} LABELS "${ARGN}"
    ENVIRONMENT "WEIR_TEST_SOURCE_DIR=${CMAKE_SOURCE_DIR};WEIR_TEST_BUILD_DIR=${CMAKE_BINARY_DIR};WEIR_TEST_SANITIZED=${sanitized}")
endfunction()
