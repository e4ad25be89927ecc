// The version of the library that these headers belong to; the build reads it from here.
#pragma once

#define UNMASK_VERSION_MAJOR 0
#define UNMASK_VERSION_MINOR 1
#define UNMASK_VERSION_PATCH 0
#define UNMASK_VERSION "0.1.0"
