# SPDX-License-Identifier: Apache-2.0
# What is installed beside the targets: headers, pkg-config file, CMake package.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/halyard DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
