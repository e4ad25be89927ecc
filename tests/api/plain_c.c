/* Whether the C interface is C: compiled by a compiler that knows no C++, and asked for its
 * version. */
#include <stdio.h>
#include <string.h>

#include "unmask/c.h"
#include "unmask/version.h"

int main(void) {
  unmask_model* model = NULL;
  if (strcmp(unmask_version(), UNMASK_VERSION) != 0) return 1;
  if (unmask_model_load("no/such/model", NULL, &model) != UNMASK_INVALID || model != NULL) return 2;
  puts(unmask_error_message());
  return 0;
}
