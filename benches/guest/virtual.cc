// C++ virtual calls over a mixed collection of shapes.
#include <memory>
#include <vector>

#include "bench.h"

namespace {
struct Shape {
  virtual ~Shape() = default;
  virtual uint64_t area() const = 0;
  virtual void scale(uint32_t by) = 0;
};
struct Square : Shape {
  uint32_t side;
  explicit Square(uint32_t s) : side(s) {}
  uint64_t area() const override { return uint64_t(side) * side; }
  void scale(uint32_t by) override { side = (side * by & 1023) + 1; }
};
struct Rectangle : Shape {
  uint32_t width, height;
  Rectangle(uint32_t w, uint32_t h) : width(w), height(h) {}
  uint64_t area() const override { return uint64_t(width) * height; }
  void scale(uint32_t by) override {
    width = (width + by & 511) + 1;
    height = (height ^ by & 511) + 1;
  }
};
struct Triangle : Rectangle {
  using Rectangle::Rectangle;
  uint64_t area() const override { return uint64_t(width) * height / 2; }
};
struct Group : Shape {
  std::vector<std::unique_ptr<Shape>> parts;
  uint64_t area() const override {
    uint64_t sum = 0;
    for (auto &p : parts) sum += p->area();
    return sum;
  }
  void scale(uint32_t by) override {
    for (auto &p : parts) p->scale(by);
  }
};

std::unique_ptr<Shape> make(uint64_t &seed, int depth) {
  uint64_t r = bench_random(&seed);
  uint32_t a = (r >> 8 & 255) + 1, b = (r >> 16 & 255) + 1;
  switch (depth ? r >> 60 & 3 : (r >> 60) % 3) {
    case 0: return std::make_unique<Square>(a);
    case 1: return std::make_unique<Rectangle>(a, b);
    case 2: return std::make_unique<Triangle>(a, b);
    default: {
      auto g = std::make_unique<Group>();
      for (int i = 0; i < 4; i++) g->parts.push_back(make(seed, depth - 1));
      return g;
    }
  }
}
}  // namespace

int main(int argc, char **argv) {
  long rounds = bench_scale(argc, argv, 11000);
  uint64_t seed = 23, sum = 0;
  std::vector<std::unique_ptr<Shape>> shapes;
  for (int i = 0; i < 2000; i++) shapes.push_back(make(seed, 2));
  for (long round = 0; round < rounds; round++) {
    for (auto &s : shapes) sum += s->area();
    if (round % 16 == 0)
      for (auto &s : shapes) s->scale(uint32_t(round | 1));
    sum = bench_mix(sum, uint64_t(round));
  }
  printf("virtual %016llx\n", (unsigned long long)sum);
  return 0;
}
