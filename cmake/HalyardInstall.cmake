# SPDX-License-Identifier: Apache-2.0
# What is installed beside the programs and backends: headers, pkg-config file, CMake package. Both descriptions find the
# rest from where they stand, so an installed tree can be moved.
include(CMakePackageConfigHelpers)

# In a build tree, too, the library finds its backends in the folder halyard/ beside it, also inside another project's.
set_target_properties(halyard PROPERTIES
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/halyard DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

# Installed programs find the library from where they stand.
file(RELATIVE_PATH HALYARD_BIN_TO_LIB /prefix/${CMAKE_INSTALL_BINDIR} /prefix/${CMAKE_INSTALL_LIBDIR})
foreach(program halyard_tool halyard-cts)
  if(TARGET ${program})
    set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/${HALYARD_BIN_TO_LIB}")
  endif()
endforeach()

# find_package(Halyard) gives Halyard::halyard, the name that add_subdirectory() gives as well.
set(HALYARD_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Halyard)
set_target_properties(halyard_headers PROPERTIES EXPORT_NAME headers)
install(TARGETS halyard halyard_headers EXPORT HalyardTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT HalyardTargets NAMESPACE Halyard:: DESTINATION ${HALYARD_CMAKE_DIR})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/HalyardConfig.cmake.in
  ${PROJECT_BINARY_DIR}/HalyardConfig.cmake INSTALL_DESTINATION ${HALYARD_CMAKE_DIR}
  NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/HalyardConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/HalyardConfig.cmake ${PROJECT_BINARY_DIR}/HalyardConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/HalyardKernel.cmake DESTINATION ${HALYARD_CMAKE_DIR})

# pkg-config: the way from the folder of halyard.pc to the prefix depends on how deep the library folder is.
file(RELATIVE_PATH HALYARD_PC_TO_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" HALYARD_PC_TO_PREFIX "${HALYARD_PC_TO_PREFIX}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/halyard.pc.in ${PROJECT_BINARY_DIR}/halyard.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/halyard.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Taking away what the latest installation from this build folder put somewhere; DESTDIR counts as it did there.
if(PROJECT_IS_TOP_LEVEL)
  install(CODE "file(WRITE \"${CMAKE_BINARY_DIR}/install_prefix.txt\" \"\${CMAKE_INSTALL_PREFIX}\")")
  add_custom_target(uninstall
    COMMAND ${CMAKE_COMMAND} -D BUILD=${CMAKE_BINARY_DIR} -P ${PROJECT_SOURCE_DIR}/cmake/HalyardUninstall.cmake
    COMMENT "Removing what was installed" VERBATIM)
endif()
