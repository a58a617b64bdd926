#include "troupe/runtime/interchange/pickle_reader.h"

#include <doctest/doctest.h>

#include "tests/support/contains.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

using Kind = PickleValue::Kind;

std::string bytes(std::string_view opcodes) {
  return "\x80\x02" + std::string(opcodes) + ".";
}

std::string pickle_reader_refusal(const std::string& pickle) {
  try {
    const Pickle read(bytes_of(pickle));
    return "";
  } catch (const CorruptionError& error) {
    return error.what();
  }
}

std::string from_hex(std::string_view digits) {
  std::string decoded;
  for (size_t i = 0; i < digits.size(); i += 2) {
    decoded += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  }
  return decoded;
}

// What Python's pickle.dumps(value, protocol=2) wrote for
// {"a": [1, -2, 300, 2**40, 2**80, 0.5, None, True], "b": ((), ("x", "x"))}.
const std::string kFromPython = from_hex(
    "80027d71002858010000006171015d7102284b014afeffffff4d2c018a060000000000018a0b0000000000000000000001473fe00000000000"
    "004e886558010000006271032958010000007871046804867105867106752e");

}  // namespace

TEST_CASE("a pickle of Python's reads to its values") {
  const Pickle pickle(bytes_of(kFromPython));
  const auto* a = pickle.root().find("a");
  REQUIRE(a != nullptr);
  REQUIRE(a->is(Kind::kList));
  REQUIRE(a->items.size() == 8);
  CHECK(a->items[0]->integer == 1);
  CHECK(a->items[1]->integer == -2);
  CHECK(a->items[2]->integer == 300);
  CHECK(a->items[3]->integer == 1099511627776);
  CHECK(a->items[4]->is(Kind::kLong));
  CHECK(a->items[5]->is(Kind::kFloat));
  CHECK(a->items[6]->is(Kind::kNone));
  CHECK(a->items[7]->is(Kind::kBool));
  const auto* b = pickle.root().find("b");
  REQUIRE(b != nullptr);
  REQUIRE(b->is(Kind::kTuple));
  CHECK(b->items[0]->items.empty());
  CHECK(b->items[1]->items[0] == b->items[1]->items[1]);
  CHECK(b->items[1]->items[0]->text == "x");
  CHECK(pickle.root().find("c") == nullptr);
}

TEST_CASE("a pickle that is cut anywhere, or continued, is refused") {
  for (size_t size = 0; size < kFromPython.size(); ++size) {
    CAPTURE(size);
    CHECK(pickle_reader_refusal(kFromPython.substr(0, size)) != "");
  }
  CHECK(pickle_reader_refusal(kFromPython + "N.") != "");
}

TEST_CASE("a pickle with a flipped bit is read or refused, nothing else") {
  for (size_t bit = 0; bit < 8 * kFromPython.size(); ++bit) {
    std::string flipped = kFromPython;
    flipped[bit / 8] = static_cast<char>(static_cast<unsigned char>(flipped[bit / 8]) ^ (1U << (bit % 8)));
    pickle_reader_refusal(flipped);
  }
}

TEST_CASE("a global that no state_dict needs is refused by name, before anything is called") {
  CHECK(contains(pickle_reader_refusal(bytes("cos\nsystem\nX\4" + std::string(3, '\0') + "echo\x85R")),
                 "names the global 'os.system', which is not allowed; allowed are collections.OrderedDict"));
  for (const char* global : {"cbuiltins\neval\n", "ctorch\nload\n", "ctorch\nComplexFloatStorage\n", "ctorch\n\n",
                             "ctorch._utils\n_rebuild_sparse_tensor\n", "ccollections\ndefaultdict\n", "c\n\n"}) {
    CAPTURE(global);
    CHECK(contains(pickle_reader_refusal(bytes(global)), "which is not allowed"));
  }
  CHECK(contains(pickle_reader_refusal(bytes("ca\nb\x1b[2J\n")), "'a.b?[2J'"));
}

TEST_CASE("an opcode that no state_dict needs is refused by number") {
  for (const std::string opcodes :
       {"\x8c\1a", "\x93", "i__main__\nA\n", "o", "\x81", "\x82\1", "P0\n", "U\1a", "0", "2"}) {
    CHECK(contains(pickle_reader_refusal(bytes("N" + opcodes)), "has the opcode 0x"));
  }
  CHECK(contains(pickle_reader_refusal("\x80\x04N."), "is not of protocol 2"));
}

TEST_CASE("what a pickle takes must be there, and of the right kind") {
  CHECK(contains(pickle_reader_refusal(bytes("")), "takes a value that is not there"));
  CHECK(contains(pickle_reader_refusal(bytes("t")), "has an end without a beginning"));
  CHECK(contains(pickle_reader_refusal(bytes("N(\x85")), "takes values that are not there"));
  CHECK(contains(pickle_reader_refusal(bytes("h\7")), "refers to a value that it does not have"));
  CHECK(contains(pickle_reader_refusal(bytes("}(Nu")), "adds items to a dict"));
  CHECK(contains(pickle_reader_refusal(bytes(")Na")), "adds items to a tuple"));
  CHECK(contains(pickle_reader_refusal(bytes("NN")), "does not end where its value does"));
  CHECK(contains(pickle_reader_refusal(bytes("NNR")), "has None where that is not allowed"));
  CHECK(contains(pickle_reader_refusal(bytes("ctorch\nFloatStorage\n)R")), "calls torch.FloatStorage"));
  CHECK(contains(pickle_reader_refusal(bytes("]}b")), "sets attributes of a list"));
  CHECK(contains(pickle_reader_refusal(bytes("X\1" + std::string(3, '\0') + "\xff")), "has a string that is no UTF-8"));
  CHECK(contains(pickle_reader_refusal(bytes("X" + std::string(4, '\xff'))), "is cut short"));
}

TEST_CASE("a pickle takes memory and time in proportion to its size, whatever it shares or nests") {
  CHECK(pickle_reader_refusal(bytes("]q" + std::string(1, '\0') + "h" + std::string(1, '\0') + "a"))
            .empty());  // A list in itself.
  CHECK(pickle_reader_refusal(bytes(std::string(1'000'000, ']') + std::string(999'999, 'a'))).empty());
  CHECK(
      contains(pickle_reader_refusal(bytes(std::string(kPickleBytesMax, 'N'))), "bytes; at most 67108864 are allowed"));
  CHECK(contains(pickle_reader_refusal(bytes(std::string(kPickleValuesMax + 1, 'N'))), "has more than 5000000 values"));
  std::string calls = "(" + std::string(1000, 'N') + "tq\1";
  for (int i = 0; i < 10; ++i) {
    calls += "ctorch._utils\n_rebuild_parameter\nh\1R";
  }
  CHECK(contains(pickle_reader_refusal(bytes(calls)), "has a call with 1000 arguments, which is not allowed"));
}
