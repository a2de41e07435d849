/* Preloaded into a program, makes its n-th system call of one kind fail, or kills it there.

   Writing and syncing count for files and directories beyond the three standard streams. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE, FSYNC, RENAME, LINK, CREATE, OPEN, UNLINK, FORK, THREAD, ANY_CHANGE };

static int armed = -1;
static int given;
static pid_t owner;
static char marker[4096];
static atomic_long left;

/* Fail (or die of, when `error` is 0) the call number `number` of a kind; then make `path`. */
void arm(int kind, long number, int error, const char *path)
{
    owner = getpid();
    given = error;
    snprintf(marker, sizeof marker, "%s", path);
    atomic_store(&left, number);
    armed = kind;
}

static int is_due(int kind)
{
    int counts = kind == armed || (armed == ANY_CHANGE && kind != OPEN && kind != THREAD);
    if (!counts || syscall(SYS_getpid) != owner || atomic_fetch_sub(&left, 1) != 1)
        return 0;
    syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, marker, O_WRONLY | O_CREAT, 0600));
    if (given == 0)
        syscall(SYS_kill, owner, SIGKILL);
    errno = given;
    return 1;
}

static int is_file(int descriptor)
{
    struct stat found;
    return armed >= 0 && descriptor > 2 && fstat(descriptor, &found) == 0
           && (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode));
}

#define ON_FILE(kind, type, name, first, parameters, arguments)                                    \
    type name parameters                                                                           \
    {                                                                                              \
        static type(*real) parameters;                                                             \
        if (!real)                                                                                 \
            real = dlsym(RTLD_NEXT, #name);                                                        \
        if (is_file(first) && is_due(kind))                                                        \
            return -1;                                                                             \
        return real arguments;                                                                     \
    }

#define ON_NAME(kind, name, parameters, arguments)                                                 \
    int name parameters                                                                            \
    {                                                                                              \
        static int(*real) parameters;                                                              \
        if (!real)                                                                                 \
            real = dlsym(RTLD_NEXT, #name);                                                        \
        return is_due(kind) ? -1 : real arguments;                                                 \
    }

ON_FILE(WRITE, ssize_t, write, f, (int f, const void *b, size_t n), (f, b, n))
ON_FILE(WRITE, ssize_t, pwrite, f, (int f, const void *b, size_t n, off_t o), (f, b, n, o))
ON_FILE(WRITE, ssize_t, pwrite64, f, (int f, const void *b, size_t n, off64_t o), (f, b, n, o))
ON_FILE(WRITE, ssize_t, writev, f, (int f, const struct iovec *v, int n), (f, v, n))
ON_FILE(WRITE, ssize_t, sendfile, f, (int f, int i, off_t *o, size_t n), (f, i, o, n))
ON_FILE(WRITE, ssize_t, sendfile64, f, (int f, int i, off64_t *o, size_t n), (f, i, o, n))
ON_FILE(WRITE, ssize_t, copy_file_range, t,
        (int f, off64_t *a, int t, off64_t *b, size_t n, unsigned g), (f, a, t, b, n, g))
ON_FILE(WRITE, int, ftruncate, f, (int f, off_t n), (f, n))
ON_FILE(WRITE, int, ftruncate64, f, (int f, off64_t n), (f, n))
ON_FILE(FSYNC, int, fsync, f, (int f), (f))
ON_FILE(FSYNC, int, fdatasync, f, (int f), (f))
ON_FILE(FSYNC, int, syncfs, f, (int f), (f))
ON_NAME(RENAME, rename, (const char *a, const char *b), (a, b))
ON_NAME(RENAME, renameat, (int d, const char *a, int e, const char *b), (d, a, e, b))
ON_NAME(LINK, link, (const char *a, const char *b), (a, b))
ON_NAME(LINK, linkat, (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f))
ON_NAME(LINK, symlink, (const char *a, const char *b), (a, b))
ON_NAME(LINK, symlinkat, (const char *a, int d, const char *b), (a, d, b))
ON_NAME(CREATE, mkdir, (const char *a, mode_t m), (a, m))
ON_NAME(CREATE, mkdirat, (int d, const char *a, mode_t m), (d, a, m))
ON_NAME(UNLINK, unlink, (const char *a), (a))
ON_NAME(UNLINK, unlinkat, (int d, const char *a, int f), (d, a, f))
ON_NAME(UNLINK, rmdir, (const char *a), (a))
ON_NAME(FORK, fork, (void), ())

/* What Python would rather call returns twice, which a wrapper of it cannot. When it fails, Python
   forks, which then is what counts. */
pid_t vfork(void)
{
    if (armed != FORK)
        return fork();
    errno = EINVAL;
    return -1;
}

int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *x)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!real)
        real = dlsym(RTLD_NEXT, "pthread_create");
    return is_due(THREAD) ? given : real(t, a, f, x);
}

#define ON_OPEN(name, parameters, ...)                                                             \
    int name parameters                                                                            \
    {                                                                                              \
        mode_t mode = 0;                                                                           \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                       \
            va_list rest;                                                                          \
            va_start(rest, flags);                                                                 \
            mode = va_arg(rest, mode_t);                                                           \
            va_end(rest);                                                                          \
        }                                                                                          \
        if (((flags & O_CREAT) && is_due(CREATE)) || is_due(OPEN))                                 \
            return -1;                                                                             \
        return (int)syscall(SYS_openat, __VA_ARGS__, path, flags, mode);                           \
    }

ON_OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
ON_OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
ON_OPEN(openat, (int at, const char *path, int flags, ...), at)
ON_OPEN(openat64, (int at, const char *path, int flags, ...), at)
