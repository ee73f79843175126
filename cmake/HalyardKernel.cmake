# SPDX-License-Identifier: Apache-2.0
# halyard_add_kernels(<target> <source.haly.c>…): kernels in the dialect of halyard/kernel.h as a module for
# haly_module_load_file(): a shared object for this machine, <target>.halo, made with the flags that header asks for.
function(halyard_add_kernels target)
  add_library(${target} MODULE ${ARGN})
  target_include_directories(${target} PRIVATE
    $<TARGET_PROPERTY:Halyard::halyard,INTERFACE_INCLUDE_DIRECTORIES>)
  target_compile_options(${target} PRIVATE -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math
    $<$<C_COMPILER_ID:GNU>:-fexcess-precision=fast>) # gcc for s390x computes float in double without
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".halo" C_VISIBILITY_PRESET hidden C_STANDARD 11)
endfunction()
