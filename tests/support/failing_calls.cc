// Preloaded into the program (LD_PRELOAD) or linked into it, lets one call of the system fail:
// FAIL_CALL names its kind, FAIL_AT counts from 1, and the file FAIL_MARK appears when it has come
// to that. Calls on the standard streams are left alone. Under the address sanitizer, which stands
// before whatever is preloaded, it is linked, and `operator new` takes the place of malloc.
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <new>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNMASK_CHECKS_ADDRESSES
#endif
#endif

namespace {

std::atomic<long> calls{0};

/// The sanitizer's function of that name, or the system's. Takes no memory where malloc is
/// replaced: dlsym() does for a name that it does not find.
void* find_behind(const char* name) {
#ifdef UNMASK_CHECKS_ADDRESSES
  std::array<char, 64> checked{"__interceptor_"};
  std::strncat(checked.data(), name, checked.size() - std::strlen(checked.data()) - 1);
  if (void* const found = dlsym(RTLD_DEFAULT, checked.data())) return found;
#endif
  return dlsym(RTLD_NEXT, name);
}

/// The function that `own` stands before.
template <auto* own>
auto* behind(const char* name) {
  static const auto real = reinterpret_cast<decltype(own)>(find_behind(name));
  return real;
}

void leave_mark() {
  const char* mark = std::getenv("FAIL_MARK");
  if (mark != nullptr) close(creat(mark, 0600));
}

/// Whether this call of `kind` is the one.
bool fails(const char* kind, int error) {
  const char* chosen = std::getenv("FAIL_CALL");
  if (chosen == nullptr || std::strcmp(chosen, kind) != 0) return false;
  if (++calls != std::atol(std::getenv("FAIL_AT"))) return false;
  leave_mark();
  errno = error;
  return true;
}

/// What `name`, the function behind `own`, returns; -1 with `error` when its call of this kind
/// fails.
template <auto* own, typename... Arguments>
auto pass_on(const char* kind, const char* name, int error, Arguments... arguments) {
  using Result = decltype(own(arguments...));
  return fails(kind, error) ? Result{-1} : behind<own>(name)(arguments...);
}

bool is_standard(int file) { return file <= STDERR_FILENO; }

/// Descriptors of events are read, too, by a library that does not expect the kernel to refuse
/// that.
bool is_regular(int file) {
  struct stat status {};
  return fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

#ifdef UNMASK_CHECKS_ADDRESSES
void* operator new(size_t size) {
  void* const memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* operator new(size_t size, const std::nothrow_t& /*asked*/) noexcept {
  return fails("malloc", ENOMEM) ? nullptr : std::malloc(size);
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t /*size*/) noexcept { std::free(memory); }
#endif

extern "C" {

void* aligned_alloc(size_t alignment, size_t size) {
  if (fails("aligned_alloc", ENOMEM)) return nullptr;
  return behind<&aligned_alloc>("aligned_alloc")(alignment, size);
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (fails("open", EIO)) return -1;
  return behind<&open>("open")(path, flags, mode);
}

int mkdir(const char* path, mode_t mode) noexcept {
  return pass_on<&mkdir>("mkdir", "mkdir", EACCES, path, mode);
}

int mkostemp(char* name, int flags) {
  return pass_on<&mkostemp>("mkostemp", "mkostemp", EMFILE, name, flags);
}

ssize_t read(int file, void* buffer, size_t size) {
  if (is_standard(file) || !is_regular(file)) return behind<&read>("read")(file, buffer, size);
  return pass_on<&read>("read", "read", EIO, file, buffer, size);
}

ssize_t pread(int file, void* buffer, size_t size, off_t at) {
  return pass_on<&pread>("read", "pread", EIO, file, buffer, size, at);
}

ssize_t write(int file, const void* buffer, size_t size) {
  if (is_standard(file)) return behind<&write>("write")(file, buffer, size);
  return pass_on<&write>("write", "write", ENOSPC, file, buffer, size);
}

int fsync(int file) { return pass_on<&fsync>("fsync", "fsync", EIO, file); }

int ftruncate(int file, off_t size) noexcept {
  return pass_on<&ftruncate>("ftruncate", "ftruncate", EIO, file, size);
}

int rename(const char* from, const char* to) noexcept {
  return pass_on<&rename>("rename", "rename", EACCES, from, to);
}

int flock(int file, int operation) noexcept {
  return pass_on<&flock>("flock", "flock", ENOLCK, file, operation);
}

void* mmap(void* address, size_t size, int protection, int flags, int file, off_t at) noexcept {
  if (fails("mmap", ENOMEM)) return MAP_FAILED;
  return behind<&mmap>("mmap")(address, size, protection, flags, file, at);
}

#ifndef UNMASK_CHECKS_ADDRESSES
void* malloc(size_t size) noexcept {
  if (fails("malloc", ENOMEM)) return nullptr;
  return behind<&malloc>("malloc")(size);
}
#endif

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*),
                   void* argument) noexcept {
  if (fails("pthread_create", EAGAIN)) return EAGAIN;
  return behind<&pthread_create>("pthread_create")(thread, attributes, body, argument);
}

// What a server asks of the system, in one order.

int socket(int domain, int type, int protocol) noexcept {
  return pass_on<&socket>("socket", "socket", EMFILE, domain, type, protocol);
}

int bind(int file, const sockaddr* address, socklen_t size) noexcept {
  return pass_on<&bind>("socket", "bind", EADDRINUSE, file, address, size);
}

int listen(int file, int waiting) noexcept {
  return pass_on<&listen>("socket", "listen", EADDRINUSE, file, waiting);
}

int accept(int file, sockaddr* address, socklen_t* size) {
  return pass_on<&accept>("socket", "accept", EMFILE, file, address, size);
}

int getsockname(int file, sockaddr* address, socklen_t* size) noexcept {
  return pass_on<&getsockname>("socket", "getsockname", ENOBUFS, file, address, size);
}

int getpeername(int file, sockaddr* address, socklen_t* size) noexcept {
  return pass_on<&getpeername>("socket", "getpeername", ENOTCONN, file, address, size);
}

int setsockopt(int file, int level, int option, const void* value, socklen_t size) noexcept {
  return pass_on<&setsockopt>("socket", "setsockopt", ENOMEM, file, level, option, value, size);
}

ssize_t recv(int file, void* buffer, size_t size, int flags) {
  return pass_on<&recv>("socket", "recv", ECONNRESET, file, buffer, size, flags);
}

ssize_t recvmsg(int file, msghdr* message, int flags) {
  return pass_on<&recvmsg>("socket", "recvmsg", ECONNRESET, file, message, flags);
}

ssize_t send(int file, const void* buffer, size_t size, int flags) {
  return pass_on<&send>("socket", "send", EPIPE, file, buffer, size, flags);
}

ssize_t sendmsg(int file, const msghdr* message, int flags) {
  return pass_on<&sendmsg>("socket", "sendmsg", EPIPE, file, message, flags);
}

int epoll_create1(int flags) noexcept {
  return pass_on<&epoll_create1>("socket", "epoll_create1", EMFILE, flags);
}

int eventfd(unsigned start, int flags) noexcept {
  return pass_on<&eventfd>("socket", "eventfd", EMFILE, start, flags);
}

int timerfd_create(int clock, int flags) noexcept {
  return pass_on<&timerfd_create>("socket", "timerfd_create", EMFILE, clock, flags);
}

}  // extern "C"
