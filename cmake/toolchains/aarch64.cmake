# SPDX-License-Identifier: Apache-2.0
set(HALYARD_CROSS aarch64)
include(${CMAKE_CURRENT_LIST_DIR}/debian_cross.cmake)
