/* SPDX-License-Identifier: Apache-2.0 */
#include "core/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "core/error.h"

int colony_library_open(const struct colony_library *library, const struct colony_symbol *symbols,
                        void *table, struct colony_error *err)
{
    void *handle = dlopen(library->soname, RTLD_NOW | RTLD_LOCAL);
    const char *reason;

    if (!handle) {
        reason = dlerror();
        return colony_fail(err, -ENOENT, "cannot use %s: install the package %s (%s)",
                           library->purpose, library->package, reason ? reason : library->soname);
    }
    for (; symbols->name; symbols++) {
        void *address = dlsym(handle, symbols->name);

        if (!address) {
            (void)dlclose(handle);
            return colony_fail(err, -ENOTSUP,
                               "cannot use %s: %s lacks %s: install a newer package %s",
                               library->purpose, library->soname, symbols->name, library->package);
        }
        memcpy((char *)table + symbols->offset, &address, sizeof address);
    }
    return 0;
}
