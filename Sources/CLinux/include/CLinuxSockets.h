// Unix sockets, and listeners that come from another process. Answers as in CLinux.h.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/// Listens on a path, non-blocking and close-on-exec, with exactly these mode bits from the first moment. A socket file that nobody listens
/// on is replaced; -EADDRINUSE: somebody does; -EEXIST: the file is no socket.
int clinux_unix_listen(const char *path, unsigned mode, int backlog);
/// Gives a socket file another name, in place of what has it.
int clinux_rename(const char *from, const char *to);
/// A blocking connection to a stream socket's path.
int clinux_unix_connect(const char *path);
/// Waits at most so long in each further read and write.
int clinux_set_patience(int descriptor, int milliseconds);
/// Who is at the other end, as it was when it connected or listened.
int clinux_peer_credentials(int descriptor, uid_t *user, pid_t *process);

/// Makes an inherited descriptor close-on-exec and, a listener, non-blocking.
int clinux_take_listener(int descriptor);
/// 1: a stream socket that listens; 0: anything else that is open.
int clinux_is_listener(int descriptor);
/// The path a Unix socket is bound to, "" when it is another socket or has none.
int clinux_local_path(int descriptor, char *path, size_t capacity);

/// A file's identity; 0, or -errno.
int clinux_file_identity(const char *path, uint64_t *device, uint64_t *inode);
int clinux_unlink(const char *path);
/// Makes a directory that is this user's alone, or finds it so; -EPERM: it is somebody else's, or open to others.
int clinux_own_directory(const char *path);

/// Sends bytes, and with them one descriptor unless it is negative.
ssize_t clinux_send_descriptor(int socket, const void *bytes, size_t count, int descriptor);
/// Receives bytes, and one descriptor with them; -1 in `descriptor`: none came.
ssize_t clinux_receive_descriptor(int socket, void *bytes, size_t capacity, int *descriptor);

/// Waits until one of the descriptors is readable or has ended; negative milliseconds wait for ever.
int clinux_wait_any(const int *descriptors, int count, int milliseconds);
