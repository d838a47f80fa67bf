#define _GNU_SOURCE
#include "CLinuxSockets.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int fill_path(struct sockaddr_un *address, const char *path) {
    size_t length = strlen(path);
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (length == 0 || length >= sizeof address->sun_path) return -ENAMETOOLONG;
    memcpy(address->sun_path, path, length);
    return 0;
}

/// 0: the path is free; what nobody listened on is gone.
static int make_way(const char *path, const struct sockaddr_un *address) {
    struct stat found;
    if (lstat(path, &found) < 0) return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(found.st_mode)) return -EEXIST;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) return -errno;
    int code = connect(probe, (const struct sockaddr *)address, sizeof *address) < 0 ? errno : 0;
    close(probe);
    if (code == ENOENT) return 0;
    // Anything but a refusal is the answer of somebody, or hides whether there is one.
    if (code != ECONNREFUSED) return -EADDRINUSE;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int clinux_unix_listen(const char *path, unsigned mode, int backlog) {
    struct sockaddr_un address;
    int result = fill_path(&address, path);
    if (result == 0) result = make_way(path, &address);
    if (result < 0) return result;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    // Before `bind`, so that nobody connects who may not; and after it, because the umask takes bits away.
    (void)fchmod(descriptor, mode);
    if (bind(descriptor, (const struct sockaddr *)&address, sizeof address) < 0) {
        result = -errno;
        close(descriptor);
        return result;
    }
    if (chmod(path, mode) < 0 || listen(descriptor, backlog) < 0) {
        result = -errno;
        unlink(path);
        close(descriptor);
        return result;
    }
    return descriptor;
}

int clinux_rename(const char *from, const char *to) { return rename(from, to) < 0 ? -errno : 0; }

int clinux_unix_connect(const char *path) {
    struct sockaddr_un address;
    int result = fill_path(&address, path);
    if (result < 0) return result;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -errno;
    if (connect(descriptor, (const struct sockaddr *)&address, sizeof address) < 0) {
        result = -errno;
        close(descriptor);
        return result;
    }
    return descriptor;
}

int clinux_set_patience(int descriptor, int milliseconds) {
    struct timeval time = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) < 0) return -errno;
    return setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) < 0
                   || setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) < 0
               ? -errno
               : 0;
}

int clinux_peer_credentials(int descriptor, uid_t *user, pid_t *process) {
    struct ucred who;
    socklen_t length = sizeof who;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &who, &length) < 0) return -errno;
    *user = who.uid;
    *process = who.pid;
    return 0;
}

int clinux_take_listener(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    return fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

int clinux_is_listener(int descriptor) {
    int type = 0, listens = 0;
    socklen_t length = sizeof type;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) < 0) return errno == ENOTSOCK ? 0 : -errno;
    length = sizeof listens;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0) return 0;
    return type == SOCK_STREAM && listens;
}

int clinux_local_path(int descriptor, char *path, size_t capacity) {
    struct sockaddr_un address = {0};
    socklen_t length = sizeof address;
    path[0] = 0;
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) < 0) return -errno;
    if (address.sun_family != AF_UNIX || length <= offsetof(struct sockaddr_un, sun_path)) return 0;
    size_t bytes = strnlen(address.sun_path, length - offsetof(struct sockaddr_un, sun_path));
    if (bytes >= capacity) return -ENAMETOOLONG;
    memcpy(path, address.sun_path, bytes);
    path[bytes] = 0;
    return 0;
}

int clinux_file_identity(const char *path, uint64_t *device, uint64_t *inode) {
    struct stat found;
    if (lstat(path, &found) < 0) return -errno;
    *device = found.st_dev;
    *inode = found.st_ino;
    return 0;
}

int clinux_unlink(const char *path) { return unlink(path) < 0 ? -errno : 0; }

int clinux_own_directory(const char *path) {
    if (mkdir(path, 0700) < 0 && errno != EEXIST) return -errno;
    struct stat found;
    if (lstat(path, &found) < 0) return -errno;
    return S_ISDIR(found.st_mode) && found.st_uid == geteuid() && (found.st_mode & 0077) == 0 ? 0 : -EPERM;
}

ssize_t clinux_send_descriptor(int socket, const void *bytes, size_t count, int descriptor) {
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
    }
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

ssize_t clinux_receive_descriptor(int socket, void *bytes, size_t capacity, int *descriptor) {
    struct iovec part = {.iov_base = bytes, .iov_len = capacity};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    *descriptor = -1;
    ssize_t count;
    do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count < 0) return -errno;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head))
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
            memcpy(descriptor, CMSG_DATA(head), sizeof *descriptor);
    return count;
}

int clinux_wait_any(const int *descriptors, int count, int milliseconds) {
    enum { most = 8 };
    struct pollfd all[most];
    if (count > most) return -EINVAL;
    for (int i = 0; i < count; i++) all[i] = (struct pollfd){.fd = descriptors[i], .events = POLLIN};
    int ready = poll(all, (nfds_t)count, milliseconds);
    return ready > 0 ? 1 : 0;
}
