# SPDX-License-Identifier: Apache-2.0
set(HALYARD_CROSS s390x)
include(${CMAKE_CURRENT_LIST_DIR}/debian_cross.cmake)
