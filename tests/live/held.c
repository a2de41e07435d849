/* Preloaded into a program, holds it when it is about to remove a file that has $HELD_NAME in its
   path: it opens the FIFO $HELD_AT to tell that it is there, and waits for one to open $HELD_UNTIL.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int unlink(const char *path)
{
    static int (*real)(const char *);
    const char *name = getenv("HELD_NAME");
    if (!real)
        real = dlsym(RTLD_NEXT, "unlink");
    if (name && strstr(path, name)) {
        close(open(getenv("HELD_AT"), O_WRONLY));
        close(open(getenv("HELD_UNTIL"), O_RDONLY));
    }
    return real(path);
}
