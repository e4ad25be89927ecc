/* Starts the program of the portable archive: PREFIX/bin/unmask runs PREFIX/lib/unmask/unmask with
 * the loader and the libraries that lie beside it, whatever the system has, even nothing.
 *
 * The loader's path is compiled into a program and must be absolute, so a program cannot bring its
 * own one. This one is linked statically and asks nothing of the system but to run the next. It
 * finds itself by what the kernel was told to run, which works without /proc. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static int complain(const char* what) {
  fprintf(stderr, "unmask: %s\n", what);
  return 127;
}

int main(int argc, char** argv) {
  static char self[PATH_MAX], folder[PATH_MAX], loader[PATH_MAX + 64], program[PATH_MAX + 64];
  const char* started = (const char*)getauxval(AT_EXECFN);
  char** words = calloc((size_t)argc + 8, sizeof *words);
  int n = 0;
  if (words == NULL || started == NULL || realpath(started, self) == NULL) {
    return complain("its own folder is not known");
  }
  for (int up = 0; up < 2; ++up) { /* bin/unmask */
    char* slash = strrchr(self, '/');
    if (slash == NULL) return complain("does not lie in a folder bin");
    *slash = '\0';
  }
  if (snprintf(folder, sizeof folder, "%s/lib/unmask", self) >= (int)sizeof folder) {
    return complain("its path is too long");
  }
  snprintf(loader, sizeof loader, "%s/%s", folder, UNMASK_LOADER);
  snprintf(program, sizeof program, "%s/unmask", folder);
  words[n++] = loader;
  words[n++] = (char*)"--inhibit-cache";
  words[n++] = (char*)"--library-path";
  words[n++] = folder;
  words[n++] = (char*)"--argv0";
  words[n++] = argv[0];
  words[n++] = program;
  for (int i = 1; i < argc; ++i) words[n++] = argv[i];
  execv(loader, words);
  perror(loader);
  return 127;
}
