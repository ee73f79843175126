# SPDX-License-Identifier: Apache-2.0
# halyard_add_backend(name sources… [NOT_INSTALLED]): a shared object that the loader finds, exporting its entry function
# alone.
function(halyard_add_backend name)
  cmake_parse_arguments(BACKEND "NOT_INSTALLED" "" "" ${ARGN})
  set(target halyard_backend_${name})
  add_library(${target} MODULE ${BACKEND_UNPARSED_ARGUMENTS})
  target_link_libraries(${target} PRIVATE halyard_headers halyard_warnings)
  set(map ${CMAKE_CURRENT_BINARY_DIR}/${target}.map)
  file(CONFIGURE OUTPUT ${map} CONTENT "{ global: halyard_backend_${name}; local: *; };\n")
  target_link_options(${target} PRIVATE LINKER:--version-script=${map} LINKER:-z,relro LINKER:-z,now)
  if(NOT HALYARD_SANITIZE)
    target_link_options(${target} PRIVATE LINKER:-z,defs)
  endif()
  set_target_properties(${target} PROPERTIES PREFIX lib LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/halyard)
  if(NOT BACKEND_NOT_INSTALLED)
    install(TARGETS ${target} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/halyard)
  endif()
endfunction()
