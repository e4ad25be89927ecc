// What a function refuses, for tests of everything that reads requests.
#pragma once

#include <functional>
#include <gtest/gtest.h>
#include <string>

#include "serve/api_error.h"

namespace unmask::testing {

/// The error that `act` throws; with status 0 when it throws none.
inline ApiError refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const ApiError& error) {
    return error;
  }
  return {0, "", "", "nothing was thrown"};
}

/// Checks that a 400 names this key, with this code.
inline void expect_refusal(const std::function<void()>& act, const std::string& param,
                           const std::string& code = "invalid_value") {
  const ApiError error = refusal(act);
  EXPECT_EQ(error.status, 400) << error.message;
  EXPECT_EQ(error.type, "invalid_request_error");
  EXPECT_EQ(error.param.value_or(""), param) << error.message;
  EXPECT_EQ(error.code, code) << error.message;
}

}  // namespace unmask::testing
