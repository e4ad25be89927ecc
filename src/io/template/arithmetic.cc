// Numbers as in Python: integers divide to reals, // and % round down. Integers have 64 bits, and
// what is beyond them is an error.
#include <cmath>

#include "core/error.h"
#include "io/template/operators.h"

namespace unmask::jinja {

namespace {

[[noreturn]] void refuse_overflow() {
  fail(ErrorCode::chat_format, "found an integer of more than 64 bits");
}
[[noreturn]] void refuse_zero() { fail(ErrorCode::chat_format, "found a division by zero"); }

int64_t floor_divide(int64_t a, int64_t b) {
  if (b == 0) refuse_zero();
  if (b == -1) {
    if (a == INT64_MIN) refuse_overflow();
    return -a;
  }
  return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

int64_t modulo(int64_t a, int64_t b) {
  if (b == 0) refuse_zero();
  if (b == -1) return 0;
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

double modulo(double a, double b) {
  if (b == 0) refuse_zero();
  const double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

double floor_divide(double a, double b) {
  if (b == 0) refuse_zero();
  const double quotient = (a - modulo(a, b)) / b;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double below = std::floor(quotient);
  return quotient - below > 0.5 ? below + 1 : below;
}

Value power(int64_t a, int64_t b) {
  if (b < 0) {
    if (a == 0) refuse_zero();
    return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
  int64_t result = 1;
  while (b > 0) {
    if ((b & 1) != 0 && __builtin_mul_overflow(result, a, &result)) refuse_overflow();
    b >>= 1;
    if (b > 0 && __builtin_mul_overflow(a, a, &a)) refuse_overflow();
  }
  return Value(result);
}

Value power(double a, double b) {
  if (a == 0 && b < 0) refuse_zero();
  const double result = std::pow(a, b);
  const bool finite = std::isfinite(a) && std::isfinite(b);
  if (finite && !std::isfinite(result)) {
    fail(ErrorCode::chat_format, "found a power that is no real number");
  }
  return Value(result);
}

[[noreturn]] void refuse(std::string_view op, const Value& a, const Value& b) {
  for (const Value* value : {&a, &b}) {
    if (value->is_undefined()) fail(ErrorCode::chat_format, "{}", value->why_undefined());
  }
  fail(ErrorCode::chat_format, "found {} {} {}, which has no meaning", a.type(), op, b.type());
}

Value of_integers(std::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  if (op == "/") {
    if (b == 0) refuse_zero();
    return Value(static_cast<double>(a) / static_cast<double>(b));
  }
  if (op == "//") return Value(floor_divide(a, b));
  if (op == "%") return Value(modulo(a, b));
  if (op == "**") return power(a, b);
  const bool overflow = op == "+"   ? __builtin_add_overflow(a, b, &result)
                        : op == "-" ? __builtin_sub_overflow(a, b, &result)
                                    : __builtin_mul_overflow(a, b, &result);
  if (overflow) refuse_overflow();
  return Value(result);
}

Value of_reals(std::string_view op, double a, double b) {
  if (op == "+") return Value(a + b);
  if (op == "-") return Value(a - b);
  if (op == "*") return Value(a * b);
  if (op == "//") return Value(floor_divide(a, b));
  if (op == "%") return Value(modulo(a, b));
  if (op == "**") return power(a, b);
  if (b == 0) refuse_zero();
  return Value(a / b);
}

/// A text or a list, several times.
Value repeated(const Value& value, int64_t times, Budget& budget) {
  if (const Text* text = value.text()) return Value(repeat(*text, times));
  Values items;
  for (int64_t i = 0; i < times && !value.list()->items.empty(); ++i) {
    budget.spend(1 + value.cost());
    items.insert(items.end(), value.list()->items.begin(), value.list()->items.end());
  }
  return make_list(std::move(items), value.list()->kind);
}

bool is_sequence(const Value& value) {
  const List* list = value.list();
  return value.text() != nullptr ||
         (list != nullptr && (list->kind == ListKind::list || list->kind == ListKind::tuple));
}

}  // namespace

Value calculate(std::string_view op, const Value& a, const Value& b, Budget& budget) {
  budget.spend(1 + a.cost() + b.cost());
  if (as_integer(a) && as_integer(b)) return of_integers(op, *as_integer(a), *as_integer(b));
  if (a.is_number() && b.is_number()) return of_reals(op, *as_real(a), *as_real(b));
  if (op == "+" && a.text() && b.text()) {
    Text sum = *a.text();
    sum.append(*b.text());
    return Value(std::move(sum));
  }
  if (op == "+" && is_sequence(a) && is_sequence(b) && a.type() == b.type()) {
    Values items = a.list()->items;
    items.insert(items.end(), b.list()->items.begin(), b.list()->items.end());
    return make_list(std::move(items), a.list()->kind);
  }
  if (op == "*" && is_sequence(a) && as_integer(b)) return repeated(a, *as_integer(b), budget);
  if (op == "*" && is_sequence(b) && as_integer(a)) return repeated(b, *as_integer(a), budget);
  refuse(op, a, b);
}

Value negate(const Value& value) {
  if (const auto number = as_integer(value)) return of_integers("-", 0, *number);
  if (const double* number = value.real()) return Value(-*number);
  if (value.is_undefined()) fail(ErrorCode::chat_format, "{}", value.why_undefined());
  fail(ErrorCode::chat_format, "found a {} behind a sign, expected a number", value.type());
}

}  // namespace unmask::jinja
