#include "troupe/actors/mailbox/lane.h"

#include <algorithm>
#include <bitset>

namespace troupe {
namespace {

constexpr int64_t kEventsAtOnce = 256;  // Taken from the lane and so out of its policy's reach.

void merge(std::optional<LaneGap>& gap, const LaneGap& other) {
  if (!gap) {
    gap = other;
    return;
  }
  gap->after_seq = std::min(gap->after_seq, other.after_seq);
  gap->until_seq = std::max(gap->until_seq, other.until_seq);
  gap->events += other.events;
}

LaneGap gap_at(const Event& event) {
  const uint64_t seq = event.seq();
  return {seq == 0 ? 0 : seq - 1, seq, 1};
}

}  // namespace

Lane::Lane(const CallbackInfo& info)
    : observes_(info.observes),
      outputs_(info.outputs),
      policy_(info.policy.lane.value_or(LanePolicy::kDropOldest)),
      events_max_(info.policy.lane_events_max),
      bytes_max_(info.policy.lane_bytes_max) {}

void Lane::start_behind(uint64_t after_seq, uint64_t until_seq) {
  const std::lock_guard lock(mutex_);
  spilling_ = true;
  spilled_after_seq_ = after_seq;
  spilled_until_seq_ = until_seq;
}

LaneEvents Lane::mine(const DeliveryBatch& batch) const {
  LaneEvents events{batch, 0, batch->size(), 0, 0, {}};
  for (const auto& delivery : *batch) {
    const EventType type = delivery.event->body_case();
    events.events += observes_[type] ? 1 : 0;
    events.bytes += outputs_[type] ? delivery.outputs_bytes : 0;
  }
  return events;
}

bool Lane::schedule() {
  return !std::exchange(scheduled_, true);
}

bool Lane::over(int64_t events, int64_t bytes) const {
  return events > events_max_ || bytes > bytes_max_;
}

bool Lane::add(const DeliveryBatch& batch) {
  LaneEvents events = mine(batch);
  if (events.events == 0 || detached()) {
    return false;
  }
  const std::lock_guard lock(mutex_);
  if (policy_ == LanePolicy::kSpill && (spilling_ || over(events_ + events.events, bytes_ + events.bytes))) {
    spill(events);
    return schedule();
  }
  events_ += events.events;
  bytes_ += events.bytes;
  entries_.push_back({std::move(events), std::nullopt});
  if (over(events_, bytes_)) {
    policy_ == LanePolicy::kCoalesce ? coalesce() : drop_oldest();
  }
  return schedule();
}

bool Lane::add(LaneTask task) {
  const std::lock_guard lock(mutex_);
  entries_.push_back({{}, std::move(task)});
  return schedule();
}

/// Leaves the events to the log. Transient ones are not in it.
void Lane::spill(const LaneEvents& events) {
  for (const auto& delivery : *events.batch) {
    const Event& event = *delivery.event;
    if (!observes_[event.body_case()]) {
      continue;
    }
    if (event.seq() == 0) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    if (!spilling_) {
      spilling_ = true;
      spilled_after_seq_ = event.seq() - 1;
    }
    spilled_until_seq_ = event.seq();
    ++spilled_events_;
  }
}

/// Drops from the front until what is left fits, or nothing is left to drop.
void Lane::drop_oldest() {
  std::optional<LaneGap> gap;
  for (auto& entry : entries_) {
    while (entry.events.events > 0 && over(events_, bytes_)) {
      drop_front_event(entry.events, gap);
    }
    if (gap && entry.events.events > 0) {
      merge(entry.events.gap, *gap);
      gap.reset();
    }
    if (!over(events_, bytes_)) {
      break;
    }
  }
  std::erase_if(entries_,
                [](const Entry& entry) { return !entry.task && entry.events.events == 0 && !entry.events.gap; });
  if (gap) {  // All of them: the gap is told with an empty entry.
    LaneEvents nothing{std::make_shared<const std::vector<Delivery>>(), 0, 0, 0, 0, gap};
    entries_.push_back({std::move(nothing), std::nullopt});
  }
}

void Lane::drop_front_event(LaneEvents& events, std::optional<LaneGap>& gap) {
  if (events.gap) {
    merge(gap, *events.gap);
    events.gap.reset();
  }
  const auto& deliveries = *events.batch;
  while (!observes_[deliveries[events.first].event->body_case()]) {
    ++events.first;
  }
  const Delivery& oldest = deliveries[events.first++];
  const int64_t bytes = outputs_[oldest.event->body_case()] ? oldest.outputs_bytes : 0;
  --events.events;
  --events_;
  events.bytes -= bytes;
  bytes_ -= bytes;
  merge(gap, gap_at(*oldest.event));
  dropped_.fetch_add(1, std::memory_order_relaxed);
}

/// Keeps the latest event of each type. Tasks stay in their order; what waited before them comes after them now.
void Lane::coalesce() {
  std::vector<Delivery> latest;
  EventTypeSet seen;
  std::optional<LaneGap> gap;
  int64_t kept_bytes = 0;
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    auto& events = entry->events;
    if (events.gap) {
      merge(gap, *events.gap);
    }
    for (size_t i = events.last; i > events.first; --i) {
      const Delivery& delivery = (*events.batch)[i - 1];
      const EventType type = delivery.event->body_case();
      if (!observes_[type]) {
        continue;
      }
      const int64_t bytes = outputs_[type] ? delivery.outputs_bytes : 0;
      --events_;
      bytes_ -= bytes;
      if (seen[type]) {
        merge(gap, gap_at(*delivery.event));
        dropped_.fetch_add(1, std::memory_order_relaxed);
        continue;
      }
      seen.set(type);
      kept_bytes += bytes;
      latest.push_back(delivery);
    }
    events.events = 0;
    events.gap.reset();
  }
  std::erase_if(entries_, [](const Entry& entry) { return !entry.task; });
  std::reverse(latest.begin(), latest.end());
  const auto kept = static_cast<int64_t>(latest.size());
  events_ += kept;
  bytes_ += kept_bytes;
  const auto batch = std::make_shared<const std::vector<Delivery>>(std::move(latest));
  entries_.push_back({LaneEvents{batch, 0, batch->size(), kept, kept_bytes, gap}, std::nullopt});
}

LaneEvents Lane::take_some(LaneEvents& events) const {
  LaneEvents some{events.batch, events.first, events.first, 0, 0, std::exchange(events.gap, std::nullopt)};
  while (some.last < events.last && some.events < kEventsAtOnce) {
    const Delivery& delivery = (*events.batch)[some.last++];
    const EventType type = delivery.event->body_case();
    some.events += observes_[type] ? 1 : 0;
    some.bytes += outputs_[type] ? delivery.outputs_bytes : 0;
  }
  events.first = some.last;
  events.events -= some.events;
  events.bytes -= some.bytes;
  return some;
}

std::optional<LaneWork> Lane::take() {
  const std::lock_guard lock(mutex_);
  const bool events_first = !entries_.empty() && !entries_.front().task;
  if (spilling_ && !events_first) {
    const uint64_t until = entries_.empty() ? spilled_until_seq_ : entries_.front().task->seq;
    if (until > spilled_after_seq_) {
      return LaneCatchUp{spilled_after_seq_, std::min(until, spilled_until_seq_)};
    }
  }
  if (entries_.empty()) {
    scheduled_ = false;
    return std::nullopt;
  }
  if (entries_.front().task) {
    LaneTask task = std::move(*entries_.front().task);
    entries_.pop_front();
    return task;
  }
  LaneEvents some = take_some(entries_.front().events);
  if (entries_.front().events.events == 0) {
    entries_.pop_front();
  }
  return some;
}

void Lane::done(const LaneEvents& events) {
  const std::lock_guard lock(mutex_);
  events_ -= events.events;
  bytes_ -= events.bytes;
}

void Lane::caught_up(uint64_t until_seq, int64_t events) {
  const std::lock_guard lock(mutex_);
  spilled_after_seq_ = until_seq;
  spilled_events_ = std::max<int64_t>(0, spilled_events_ - events);
  if (until_seq >= spilled_until_seq_) {
    spilling_ = false;
    spilled_events_ = 0;
  }
}

void Lane::detach() {
  const std::lock_guard lock(mutex_);
  detached_.store(true, std::memory_order_release);
  spilling_ = false;
  for (auto& entry : entries_) {
    events_ -= entry.events.events;
    bytes_ -= entry.events.bytes;
  }
  std::erase_if(entries_, [](const Entry& entry) { return !entry.task; });
}

int64_t Lane::lag() const {
  const std::lock_guard lock(mutex_);
  return events_ + spilled_events_;
}

int64_t Lane::queued() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

}  // namespace troupe
