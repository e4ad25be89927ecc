// Preloaded into the program (LD_PRELOAD), lets one call of the system fail: FAIL_CALL names it,
// FAIL_AT counts from 1. Calls on the standard streams are left alone.
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {

std::atomic<long> calls{0};

/// Whether this call of `name` is the one.
bool fails(const char* name, int error) {
  const char* chosen = std::getenv("FAIL_CALL");
  if (chosen == nullptr || std::strcmp(chosen, name) != 0) return false;
  if (++calls != std::atol(std::getenv("FAIL_AT"))) return false;
  errno = error;
  return true;
}

/// The function that this library stands before, of the type of `replacement`.
template <typename Function>
Function* next(const char* name, Function* /*replacement*/) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool is_standard(int file) { return file <= STDERR_FILENO; }

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (fails("open", EIO)) return -1;
  static auto* const real = next("open", &open);
  return real(path, flags, mode);
}

ssize_t pread(int file, void* buffer, size_t size, off_t at) {
  if (fails("pread", EIO)) return -1;
  static auto* const real = next("pread", &pread);
  return real(file, buffer, size, at);
}

ssize_t write(int file, const void* buffer, size_t size) {
  if (!is_standard(file) && fails("write", ENOSPC)) return -1;
  static auto* const real = next("write", &write);
  return real(file, buffer, size);
}

int fsync(int file) {
  if (fails("fsync", EIO)) return -1;
  static auto* const real = next("fsync", &fsync);
  return real(file);
}

int rename(const char* from, const char* to) noexcept {
  if (fails("rename", EACCES)) return -1;
  static auto* const real = next("rename", &rename);
  return real(from, to);
}

int flock(int file, int operation) noexcept {
  if (fails("flock", ENOLCK)) return -1;
  static auto* const real = next("flock", &flock);
  return real(file, operation);
}

void* mmap(void* address, size_t size, int protection, int flags, int file, off_t at) noexcept {
  if (fails("mmap", ENOMEM)) return MAP_FAILED;
  static auto* const real = next("mmap", &mmap);
  return real(address, size, protection, flags, file, at);
}

void* malloc(size_t size) noexcept {
  if (fails("malloc", ENOMEM)) return nullptr;
  static auto* const real = next("malloc", &malloc);
  return real(size);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*),
                   void* argument) noexcept {
  if (fails("pthread_create", EAGAIN)) return EAGAIN;
  static auto* const real = next("pthread_create", &pthread_create);
  return real(thread, attributes, body, argument);
}

}  // extern "C"
