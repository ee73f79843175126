/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks the places where tests/defects plants mistakes, to see that the conformance suite notices each. Only the build
 * made for that defines the macros; everywhere else PLANTED does nothing and PLANTED_OR is its second argument.
 */
#ifndef HALYARD_KERNELS_PLANTED_H
#define HALYARD_KERNELS_PLANTED_H

#ifndef PLANTED
#define PLANTED(defect, ...) ((void)0)
#define PLANTED_OR(defect, right, wrong) (right)
#endif

#endif
