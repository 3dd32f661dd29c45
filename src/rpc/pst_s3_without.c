/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/pst_internal.h"

/* Nobody gets here: settings that want it are refused (core/settings_rpc.c). */
const struct rpc_place_kind rpc_place_s3 = {0};
