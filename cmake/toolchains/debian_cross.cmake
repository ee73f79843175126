# SPDX-License-Identifier: Apache-2.0
# Cross-building with Debian's compiler for HALYARD_CROSS (a processor's name), which the including file sets. CMocka and
# jansson come from the folder that `ci/setup --long` fills; what is built runs under qemu's user-mode emulation.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${HALYARD_CROSS})
set(CMAKE_C_COMPILER ${HALYARD_CROSS}-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${HALYARD_CROSS} -L /usr/${HALYARD_CROSS}-linux-gnu)

if(DEFINED ENV{XDG_CACHE_HOME})
  set(HALYARD_SYSROOT $ENV{XDG_CACHE_HOME}/halyard/sysroots/${HALYARD_CROSS})
else()
  set(HALYARD_SYSROOT $ENV{HOME}/.cache/halyard/sysroots/${HALYARD_CROSS})
endif()
set(CMAKE_LIBRARY_ARCHITECTURE ${HALYARD_CROSS}-linux-gnu)
set(CMAKE_FIND_ROOT_PATH ${HALYARD_SYSROOT} /usr/${HALYARD_CROSS}-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${HALYARD_SYSROOT}/usr/lib/${HALYARD_CROSS}-linux-gnu/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${HALYARD_SYSROOT})
