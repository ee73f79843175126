# SPDX-License-Identifier: Apache-2.0
# halyard_prelink(output localise inputs…): one object file of many objects and archives, in which the symbols that
# objcopy's option `localise` chooses have become local, as a version script does for a shared object: a program that
# links it statically may use the same names for itself.
function(halyard_prelink output localise)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${output}.whole -Wl,--whole-archive ${ARGN} -Wl,--no-whole-archive
    COMMAND ${CMAKE_OBJCOPY} ${localise} ${output}.whole ${output}
    DEPENDS ${ARGN} COMMENT "Linking ${output}" COMMAND_EXPAND_LISTS VERBATIM)
endfunction()
