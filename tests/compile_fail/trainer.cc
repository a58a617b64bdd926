// What Trainer::add refuses to compile of itself.

#include <memory>

#include "troupe/actors/trainer.h"

using namespace troupe;

struct Owner {
#ifdef restarts_without_copies  // this callback's kPolicy asks for restarts, but the class cannot be copied
  static constexpr CallbackPolicy kPolicy{.max_restarts = 2};
#endif
#ifdef no_restarts  // compiles
  static constexpr CallbackPolicy kPolicy{.max_restarts = 0};
#endif
  void on(const ValidationEnded& event);
  std::unique_ptr<int> owned;
};

void add(Trainer& trainer) {
  trainer.add(Owner());
}
