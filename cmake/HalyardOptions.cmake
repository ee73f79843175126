# SPDX-License-Identifier: Apache-2.0
# Options, and the two interface targets every target of ours links: the public headers and the warning set.
option(HALYARD_BUILD_TESTS "Build the tests and the conformance suite's fakes (needs CMocka)" ${PROJECT_IS_TOP_LEVEL})
option(HALYARD_BUILD_BENCH "Build the benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(HALYARD_WITH_ONEDNN "Build the cpu backend's optional oneDNN object (needs libdnnl)" ON)
option(HALYARD_PLANTED_DEFECTS "Plant the defects of tests/defects, to test the conformance suite; not to be installed" OFF)
option(HALYARD_WERROR "Warnings are errors" ${PROJECT_IS_TOP_LEVEL})
if(PROJECT_IS_TOP_LEVEL)
  option(BUILD_SHARED_LIBS "libhalyard as a shared library" ON)
endif()
# Another project's silence is no wish: without its word the library is shared there too.
set(HALYARD_SHARED ON)
set(HALYARD_BUILTIN_DEFAULT "")
if(DEFINED BUILD_SHARED_LIBS AND NOT BUILD_SHARED_LIBS)
  set(HALYARD_SHARED OFF)
  set(HALYARD_BUILTIN_DEFAULT cpu)
endif()
set(HALYARD_BUILTIN_BACKENDS "${HALYARD_BUILTIN_DEFAULT}" CACHE STRING
  "Backends that become a part of libhalyard (names of folders in backends/, a list)")
set(HALYARD_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined or thread")
set(HALYARD_POLICY_FILE "/etc/halyard/policy.conf" CACHE STRING "Path of the administrator's policy file")
set(HALYARD_BACKEND_DIR "${CMAKE_INSTALL_FULL_LIBDIR}/halyard" CACHE STRING "Trusted directory of backends")

include(${CMAKE_CURRENT_LIST_DIR}/HalyardPrelink.cmake)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
endif()

# gcc for s390x would otherwise compute float expressions in double when it is asked for standard C.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL s390x AND CMAKE_C_COMPILER_ID STREQUAL GNU)
  add_compile_options(-fexcess-precision=fast)
endif()

add_library(halyard_headers INTERFACE)
target_include_directories(halyard_headers INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

add_library(halyard_warnings INTERFACE)
target_compile_options(halyard_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
  $<$<BOOL:${HALYARD_WERROR}>:-Werror> -fno-math-errno -ffp-contract=off)
if(HALYARD_SANITIZE)
  target_compile_options(halyard_warnings INTERFACE -fsanitize=${HALYARD_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(halyard_warnings INTERFACE -fsanitize=${HALYARD_SANITIZE})
endif()

# Sources of every object that can hold a planted defect; the marks in its files come from the header.
set(HALYARD_PLANTED_SOURCES)
if(HALYARD_PLANTED_DEFECTS)
  set(HALYARD_PLANTED_SOURCES ${PROJECT_SOURCE_DIR}/tests/defects/planting.c)
  target_compile_options(halyard_warnings INTERFACE "SHELL:-include \"${PROJECT_SOURCE_DIR}/tests/defects/planting.h\"")
  install(CODE "message(FATAL_ERROR \"a build with planted defects is never installed\")")
endif()
