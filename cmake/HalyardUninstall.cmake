# SPDX-License-Identifier: Apache-2.0
# cmake -D BUILD=folder -P HalyardUninstall.cmake: removes the files that the manifest of the latest installation lists,
# and then the folders below its prefix that are Halyard's alone, when they are empty. Folders that others share (bin,
# lib, man1) stay, and so does a file that somebody else put into one of ours.
cmake_minimum_required(VERSION 3.25)
if(NOT EXISTS ${BUILD}/install_manifest.txt)
  message(FATAL_ERROR "${BUILD}/install_manifest.txt does not exist: nothing was installed from this build folder")
endif()
file(STRINGS ${BUILD}/install_manifest.txt installed)
file(READ ${BUILD}/install_prefix.txt prefix)

# A link whose target is gone does not "exist".
function(remove_file path)
  if(NOT EXISTS ${path} AND NOT IS_SYMLINK ${path})
    message(STATUS "${path} is not there")
    return()
  endif()
  message(STATUS "Removing ${path}")
  file(REMOVE ${path})
  if(EXISTS ${path} OR IS_SYMLINK ${path})
    message(FATAL_ERROR "${path} cannot be removed")
  endif()
endfunction()

function(remove_empty_folder path)
  file(GLOB left LIST_DIRECTORIES true ${path}/* ${path}/.[!.]*)
  if(IS_DIRECTORY ${path} AND NOT left)
    message(STATUS "Removing ${path}")
    file(REMOVE_RECURSE ${path})
  endif()
endfunction()

set(folders)
foreach(file IN LISTS installed)
  remove_file($ENV{DESTDIR}${file})
  # Folders named for Halyard, and those in them.
  cmake_path(GET file PARENT_PATH folder)
  cmake_path(RELATIVE_PATH folder BASE_DIRECTORY ${prefix})
  while(folder MATCHES "(^|/)[Hh]alyard(/|$)")
    list(APPEND folders ${folder})
    cmake_path(GET folder PARENT_PATH folder)
  endwhile()
endforeach()

list(REMOVE_DUPLICATES folders)
list(SORT folders ORDER DESCENDING) # what stands in a folder comes before it
foreach(folder IN LISTS folders)
  remove_empty_folder($ENV{DESTDIR}${prefix}/${folder})
endforeach()
