/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file halyard.h
 * The whole public interface. Each header can also be included alone.
 */
#ifndef HALYARD_HALYARD_H
#define HALYARD_HALYARD_H

#include <halyard/base.h>
#include <halyard/error.h>
#include <halyard/instance.h>
#include <halyard/device.h>
#include <halyard/context.h>
#include <halyard/dtype.h>
#include <halyard/memory.h>
#include <halyard/stream.h>
#include <halyard/event.h>
#include <halyard/module.h>
#include <halyard/tensor.h>
#include <halyard/plan.h>
#include <halyard/ops.h>
#include <halyard/numerics.h>
#include <halyard/graph.h>
#include <halyard/comm.h>
#include <halyard/interop.h>

#endif
