// Runs the built tool as a user would.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/checkpoint_parts.h"
#include "tests/support/contains.h"
#include "tests/support/files.h"
#include "tests/support/log_events.h"
#include "tests/support/places.h"
#include "tests/support/run_shell.h"
#include "tests/support/temporary_folder.h"
#include "troupe/runtime/checkpoint/checkpoint_file.h"
#include "troupe/runtime/log/event_log_segments.h"

using namespace troupe;

namespace {

ShellResult troupe_tool(const std::string& arguments) {
  return run_shell(testing::program("troupe") + " " + arguments);
}

auto lines(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

struct ResumedRun {
  TemporaryFolder folder;
  std::string run = folder.path().string();
  std::filesystem::path last_segment = log_segment_path(folder.path() / "events", 2);
  std::string checkpoint = run + "/checkpoints/last.ckpt";

  ResumedRun() {
    write_log(folder.path() / "events", resumed_run_events());
    write_checkpoint(checkpoint, SmallCheckpoint().parts);
  }

  static void cut(const std::filesystem::path& path, size_t bytes) {
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - bytes);
  }
};

/// A run with events that have much to say.
struct EventfulRun {
  TemporaryFolder folder;
  std::string run = folder.path().string();

  EventfulRun() {
    std::vector<Event> events{run_started_event()};
    events[0].mutable_run_started()->set_config_json("{\"max_epochs\": 2}\n");
    const auto next = [&]() -> Event& {
      events.emplace_back().set_seq(events.size());
      return events.back();
    };
    auto& attached = *next().mutable_callback_attached();
    attached.set_state_key("Größe");
    attached.set_type("T");
    attached.add_observes("TrainBatchEnded");
    attached.add_observes("ValidationEnded");
    attached.add_controls("RunEnded");
    auto& applied = *next().mutable_command_applied();
    applied.set_from("T");
    applied.set_cause_seq(2);
    applied.mutable_command()->mutable_save_checkpoint()->set_path("a.ckpt");
    applied.mutable_command()->mutable_save_checkpoint()->set_best(true);
    auto& user = *next().mutable_user_event();
    user.set_type("drift");
    user.set_payload("abc");
    user.add_values()->set_name("layer");
    user.mutable_values(0)->set_string_value("head");
    user.add_values()->set_name("score");
    user.mutable_values(1)->set_double_value(0.7);
    auto& fit = *next().mutable_fit_started();
    fit.add_modules()->set_name("net");
    fit.add_modules()->set_name("net.0");
    fit.set_train_batches(4);
    fit.add_validation_batches_by_loader(2);
    fit.add_validation_batches_by_loader(3);
    auto& ended = *next().mutable_run_ended();
    ended.set_status(v1::RUN_STATUS_FINISHED);
    ended.set_reason("two\nlines");
    ended.add_callbacks()->set_state_key("Größe");
    ended.add_callbacks()->set_state_key("T");
    write_log(folder.path() / "events", events);
  }
};

/// What the tool prints on a terminal, which script(1) makes; `prefix` is put before the command.
std::string on_terminal(const std::string& prefix, const std::string& arguments) {
  std::string printed = run_shell("script --quiet --return --command '" + prefix + " " + testing::program("troupe") +
                                  " " + arguments + "' /dev/null </dev/null")
                            .output;
  printed.erase(std::remove(printed.begin(), printed.end(), '\r'), printed.end());
  return printed;
}

/// Characters of the longest line.
size_t widest(const std::string& text) {
  size_t longest = 0;
  size_t characters = 0;
  for (const char byte : text) {
    characters = byte == '\n' ? 0 : characters + ((static_cast<unsigned char>(byte) & 0xc0U) == 0x80 ? 0 : 1);
    longest = std::max(longest, characters);
  }
  return longest;
}

}  // namespace

TEST_CASE_FIXTURE(ResumedRun, "log show prints the effective history, or all of it") {
  const auto effective = troupe_tool("log show " + run);
  CHECK(effective.status == 0);
  CHECK(lines(effective.output) == 7);
  CHECK(contains(effective.output, "TrainBatchEnded         loss=0.25"));
  CHECK(lines(troupe_tool("log show --all " + run).output) == 9);
  CHECK(lines(troupe_tool("log show --from 6 " + run).output) == 2);
  CHECK(lines(troupe_tool("log show --type RunResumed,RunEnded " + run).output) == 2);
  CHECK(lines(troupe_tool("log show --follow " + run).output) == 7);
}

TEST_CASE_FIXTURE(EventfulRun, "log show prints names, and of JSON the size") {
  const std::string shown = troupe_tool("log show " + run).output;
  CHECK(contains(shown, "run_id=r1 stage=STAGE_FIT config_json=18 bytes\n"));
  CHECK(contains(shown,
                 "CallbackAttached        state_key=Größe type=T observes=[TrainBatchEnded, ValidationEnded] "
                 "controls=[RunEnded]\n"));
  CHECK(contains(shown, "from=T cause_seq=2 command=save_checkpoint{path=a.ckpt best=true}\n"));
  CHECK(contains(shown, "UserEvent               type=drift payload=3 bytes values=[layer=head, score=0.7]\n"));
  CHECK(contains(shown, "modules=[net, net.0] train_batches=4 validation_batches_by_loader=[2, 3]\n"));
  CHECK(contains(shown, "status=RUN_STATUS_FINISHED reason=two lines callbacks=[Größe, T]\n"));
}

TEST_CASE_FIXTURE(EventfulRun, "on a terminal no line of log show is wider than it, but with --wide or --json") {
  const auto narrow = on_terminal("COLUMNS=107", "log show " + run);
  CHECK(contains(narrow, "CallbackAttached        state_key=Größe type=T \xe2\x80\xa6\n"));
  CHECK(widest(narrow) == 107);
  CHECK(widest(on_terminal("COLUMNS=106", "log show " + run)) == 106);
  CHECK(widest(on_terminal("stty cols 60; env -u COLUMNS", "log show " + run)) == 60);
  CHECK(widest(on_terminal("stty cols 60; COLUMNS=wide", "log show " + run)) == 60);
  CHECK(on_terminal("COLUMNS=40", "log show --wide " + run) == troupe_tool("log show " + run).output);
  CHECK(on_terminal("COLUMNS=40", "log show --json " + run) == troupe_tool("log show --json " + run).output);
  CHECK(run_shell("COLUMNS=40 " + testing::program("troupe") + " log show " + run).output ==
        troupe_tool("log show " + run).output);
}

TEST_CASE_FIXTURE(ResumedRun, "log show --json prints protobuf's mapping with the schema's names and zeros") {
  const auto json = troupe_tool("log show --json --type TrainBatchEnded " + run);
  CHECK(json.status == 0);
  CHECK(lines(json.output) == 4);
  CHECK(contains(json.output, R"("seq":"2")"));
  CHECK(contains(json.output, R"("rank":0)"));
  CHECK(contains(json.output, R"("train_batch_ended":{"metrics":[{"name":"loss","value":1,"prog_bar":false}])"));
}

TEST_CASE_FIXTURE(ResumedRun, "log show leaves a torn tail out and says so") {
  cut(last_segment, 2);
  const auto shown = troupe_tool("log show " + run);
  CHECK(shown.status == 0);
  CHECK(lines(shown.output) == 7);
  CHECK(contains(shown.output, "troupe: left out: " + last_segment.string()));
}

TEST_CASE_FIXTURE(ResumedRun, "log verify tells a sound log from a damaged one, with the place") {
  const auto sound = troupe_tool("log verify " + run);
  CHECK(sound.status == 0);
  CHECK(contains(sound.output, "9 events (2 superseded) in 2 segments, 2 incarnations"));
  CHECK(contains(sound.output, "sound, ended"));
  cut(last_segment, 2);
  const auto torn = troupe_tool("log verify " + run);
  CHECK(torn.status == 1);
  CHECK(contains(torn.output, last_segment.string() + ": the file ends inside a record at offset "));
}

TEST_CASE_FIXTURE(ResumedRun, "a log that stops between two records is sound and not ended") {
  cut(last_segment, run_ended_event(7).ByteSizeLong() + 16);
  const auto verified = troupe_tool("log verify " + run);
  CHECK(verified.status == 0);
  CHECK(contains(verified.output, "sound, not ended"));
}

TEST_CASE_FIXTURE(ResumedRun, "state prints the run at its end, at a seq and at a step") {
  CHECK(contains(troupe_tool("state " + run).output, "RUN_STATUS_FINISHED"));
  CHECK(contains(troupe_tool("state --at 2 " + run).output, R"("seq": "2")"));
  const auto step = troupe_tool("state --at step=3 " + run);
  CHECK(step.status == 0);
  CHECK(contains(step.output, R"("seq": "5")"));
  CHECK(contains(step.output, R"("incarnation": 2)"));
}

TEST_CASE_FIXTURE(ResumedRun, "a place that a run does not have is an error that says which it has") {
  const auto seq = troupe_tool("state --at 8 " + run);
  CHECK(seq.status == 1);
  CHECK(seq.output == "troupe: " + run + ": nothing at 8; the run has sequence numbers 1 to 7\n");
  CHECK(contains(troupe_tool("state --at step=5 " + run).output, "the run has steps 1 to 4"));
  CHECK(troupe_tool("state --at step=0 " + run).status == 1);
  CHECK(contains(troupe_tool("state --at epoch=0 " + run).output, "the run has no completed epochs"));
}

TEST_CASE("state finds the end of an epoch, counted from 0") {
  const TemporaryFolder folder;
  std::vector<Event> events{run_started_event(), batch_event(2, 1)};
  for (uint32_t epoch = 0; epoch < 2; ++epoch) {
    auto& ended = events.emplace_back();
    ended.set_seq(events.size());
    ended.mutable_position()->set_epoch(epoch);
    ended.mutable_train_epoch_ended();
  }
  write_log(folder.path() / "events", events);
  CHECK(contains(troupe_tool("state --at epoch=0 " + folder.path().string()).output, R"("seq": "3")"));
  CHECK(contains(troupe_tool("state --at epoch=1 " + folder.path().string()).output, R"("epochs_completed": 2)"));
  CHECK(contains(troupe_tool("state --at epoch=2 " + folder.path().string()).output, "completed epochs 0 to 1"));
}

TEST_CASE_FIXTURE(ResumedRun, "checkpoint show prints header and tensors") {
  const auto shown = troupe_tool("checkpoint show " + checkpoint);
  CHECK(shown.status == 0);
  CHECK(contains(shown.output, "seq 42, fit epoch 0 batch 0 step 20"));
  CHECK(contains(shown.output, "float32   [2, 3]"));
  CHECK(contains(troupe_tool("checkpoint show --json " + checkpoint).output, R"("dtype":"DTYPE_FLOAT32")"));
}

TEST_CASE_FIXTURE(ResumedRun, "checkpoint verify tells a sound file from a damaged one, with the place") {
  CHECK(troupe_tool("checkpoint verify " + checkpoint).status == 0);
  cut(checkpoint, 1);
  const auto cut_short = troupe_tool("checkpoint verify " + checkpoint);
  CHECK(cut_short.status == 1);
  CHECK(contains(cut_short.output, checkpoint + ": the file ends inside a record at offset "));
}

TEST_CASE("what is not there is an error on one line that says what is expected") {
  const auto missing = troupe_tool("log show /nowhere");
  CHECK(missing.status == 1);
  CHECK(missing.output == "troupe: no run directory /nowhere: expected a folder with events/00000001.tfrecord\n");
  CHECK(troupe_tool("checkpoint verify /nowhere").status == 1);
}

TEST_CASE_FIXTURE(ResumedRun, "wrong usage exits with 2 and one line") {
  for (const std::string& arguments :
       {std::string(), std::string("log"), std::string("nonsense"), std::string("log show"), "log show --from x " + run,
        "log show --from -1 " + run, "log show --type Foo " + run, "log show --nonsense " + run,
        "state --at never " + run, "state --at 3x " + run}) {
    CAPTURE(arguments);
    const auto result = troupe_tool(arguments);
    CHECK(result.status == 2);
    CHECK(result.output.starts_with("troupe: "));
    CHECK(lines(result.output) == 1);
  }
}

TEST_CASE_FIXTURE(ResumedRun, "replay says what it compared, and what-if files that name nobody are refused") {
  const auto replayed = troupe_tool("replay " + run);
  CHECK(replayed.status == 0);
  CHECK(replayed.output == "7 events, 0 decisions reproduced, 0 diverged, 0 states equal\n");
  CHECK(contains(troupe_tool("replay --json " + run).output, R"("first_divergence":null)"));
  const std::string others = run + "/others.json";
  overwrite_file(others, R"([{"type": "EarlyStopping", "monitor": "loss"}])");
  const auto asked = troupe_tool("replay --callbacks " + others + " " + run);
  CHECK(asked.status == 0);
  CHECK(contains(asked.output, "would not have stopped; the run ended at epoch 0, step 4"));
  CHECK(
      contains(troupe_tool("replay --json --callbacks " + others + " " + run).output, R"({"decisions":[],"ended":{)"));
  for (const char* wrong :
       {"", "[]", "{}", R"([{"type": "Nobody"}])", R"([{"type": "EarlyStopping", "patience": 1}])"}) {
    CAPTURE(wrong);
    overwrite_file(others, wrong);
    const auto refused = troupe_tool("replay --callbacks " + others + " " + run);
    CHECK(refused.status == 2);
    CHECK(contains(refused.output, others));
    CHECK(lines(refused.output) == 1);
  }
  CHECK(troupe_tool("replay --from epoch=9 " + run).status == 1);
  CHECK(troupe_tool("replay --from never " + run).status == 2);
  CHECK(troupe_tool("replay /nowhere").output ==
        "troupe: no run directory /nowhere: expected a folder with events/00000001.tfrecord\n");
}

TEST_CASE_FIXTURE(ResumedRun, "replay refuses a damaged log") {
  const auto first = log_segment_path(folder.path() / "events", 1);
  cut(first, 3);
  const auto damaged = troupe_tool("replay " + run);
  CHECK(damaged.status == 1);
  CHECK(contains(damaged.output, first.string()));
}

TEST_CASE_FIXTURE(ResumedRun, "log diff tells whether two runs are equal, and where they part") {
  const ResumedRun other;
  const auto equal = troupe_tool("log diff " + run + " " + other.run);
  CHECK(equal.status == 0);
  CHECK(equal.output.ends_with("equal\n"));
  const TemporaryFolder shorter;
  write_log(shorter.path() / "events", {run_started_event(), batch_event(2, 1)});
  const auto different = troupe_tool("log diff " + run + " " + shorter.path().string());
  CHECK(different.status == 1);
  CHECK(contains(different.output, "the runs part after 1 equal events\n  A: seq 3, fit epoch 0 batch 1 step 2"));
  CHECK(contains(different.output, "B: no other event\n"));
  CHECK(contains(troupe_tool("log diff --json " + run + " " + other.run).output, R"("equal":true)"));
}

TEST_CASE("help teaches by example at every level") {
  for (const char* command : {"", "log", "log show", "log verify", "log diff", "replay", "state", "checkpoint",
                              "checkpoint show", "checkpoint verify"}) {
    CAPTURE(command);
    const auto help = troupe_tool(std::string(command) + " --help");
    CHECK(help.status == 0);
    CHECK(contains(help.output, "Example"));
  }
  CHECK(troupe_tool("--version").output.starts_with("troupe 0."));
}

TEST_CASE("a reader that leaves ends log show quietly, even when the parent ignores the signal") {
  const TemporaryFolder folder;
  std::vector<Event> events{run_started_event()};
  for (uint64_t seq = 2; seq <= 5000; ++seq) {
    events.push_back(batch_event(seq, seq - 1));
  }
  write_log(folder.path() / "events", events);
  const auto head =
      run_shell("trap '' PIPE; " + testing::program("troupe") + " log show " + folder.path().string() + " | head -n 1");
  CHECK(head.status == 0);
  CHECK(lines(head.output) == 1);
}

TEST_CASE_FIXTURE(ResumedRun, "output that cannot be written is an error") {
  CHECK(troupe_tool("log show " + run + " > /dev/full").status == 1);
}

TEST_CASE_FIXTURE(ResumedRun, "a limit of file sizes is an error that names the file") {
  const std::string output = run + "/last.npz";
  const auto limited = run_shell("ulimit -f 0; " + testing::program("troupe") + " checkpoint export " + checkpoint +
                                 " --format npz --output " + output);
  CHECK(limited.status == 1);
  CHECK(contains(limited.output, "troupe: cannot write " + output));
  CHECK(contains(limited.output, "File too large"));
  CHECK_FALSE(std::filesystem::exists(output));
}

TEST_CASE("the tool loads no LibTorch") {
  CHECK_FALSE(contains(run_shell("ldd " + testing::program("troupe")).output, "libtorch"));
}

TEST_CASE_FIXTURE(ResumedRun, "a file that is no checkpoint at all is called what it is, in one line") {
  const std::string text = run + "/README.md";
  const std::string log = log_segment_path(folder.path() / "events", 1).string();
  overwrite_file(text, "# A read-me\n");
  for (const auto& [file, what] : {std::pair(text, "a text file"), std::pair(log, "an event log of Troupe")}) {
    for (const std::string& arguments :
         {"show " + file, "verify " + file, "diff " + checkpoint + " " + file, "export " + file + " --format npz"}) {
      CAPTURE(arguments);
      const auto refused = troupe_tool("checkpoint " + arguments);
      CHECK(refused.status == 1);
      CHECK(refused.output.starts_with("troupe: " + file + " is no checkpoint: it looks like " + what + "; "));
      CHECK(lines(refused.output) == 1);
    }
    const auto refused = troupe_tool("checkpoint import " + file + " --output " + run + "/new.ckpt");
    CHECK(refused.status == 1);
    CHECK(contains(refused.output, std::string("it looks like ") + what));
  }
}
