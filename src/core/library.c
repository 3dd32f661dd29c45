/* SPDX-License-Identifier: Apache-2.0 */
#include "core/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "core/error.h"

static int fill_table(const struct colony_library *library, void *handle, struct colony_error *err)
{
    for (const struct colony_symbol *symbol = library->symbols; symbol->name; symbol++) {
        void *address = dlsym(handle, symbol->name);

        if (!address)
            return colony_fail(err, -ENOTSUP,
                               "cannot use %s: %s lacks %s: install a newer package %s",
                               library->purpose, library->soname, symbol->name, library->package);
        memcpy((char *)library->table + symbol->offset, &address, sizeof address);
    }
    return library->make_ready ? library->make_ready(err) : 0;
}

static int open_now(const struct colony_library *library, struct colony_error *err)
{
    void *handle = dlopen(library->soname, RTLD_NOW | RTLD_LOCAL);
    const char *reason;
    int rc;

    if (!handle) {
        reason = dlerror();
        return colony_fail(err, -ENOENT, "cannot use %s: install the package %s (%s)",
                           library->purpose, library->package, reason ? reason : library->soname);
    }
    rc = fill_table(library, handle, err);
    if (rc < 0)
        (void)dlclose(handle);
    return rc;
}

int colony_library_open(struct colony_library *library, struct colony_error *err)
{
    int rc = 0;

    (void)pthread_mutex_lock(&library->lock);
    if (!library->is_open)
        rc = open_now(library, err);
    library->is_open = rc == 0;
    (void)pthread_mutex_unlock(&library->lock);
    return rc;
}
