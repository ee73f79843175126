/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making one self-contained text of a kernel file: what every compiler, an OpenCL driver included, takes without a
 * folder of headers. Included files stand in the place of the lines that include them, comments are left out, and #line
 * tells compilers the file and line that the author knows.
 */
#ifndef TOOLS_FLATTEN_H
#define TOOLS_FLATTEN_H

#include <stddef.h>

/*
 * Returns the text, to free(), or NULL and a sentence in `why`. "file" is looked for beside the file that includes it,
 * then, as <file> is, in the folders. `#include NAME` takes a NAME that was #defined as one of the two. A <file> that
 * is in no folder is the system's, and its line stays. A file with an include guard is expanded once where that is
 * unconditional. Names in #line are the ones that were written, so the text does not depend on where the files lie.
 */
char *flatten_file(const char *path, const char *const *folders, size_t folder_count, char *why, size_t why_size);

#endif
