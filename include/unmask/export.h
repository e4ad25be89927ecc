// What the library shows of itself.
#pragma once

#if defined(__GNUC__)
#define UNMASK_API __attribute__((visibility("default")))
#define UNMASK_INTERNAL __attribute__((visibility("hidden")))
#else
#define UNMASK_API
#define UNMASK_INTERNAL
#endif
