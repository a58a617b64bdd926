#include "troupe/runtime/plot/line_plot.h"

#include <doctest/doctest.h>

#include <limits>

#include "tests/support/xml_checker.h"
#include "troupe/runtime/base/error.h"

using namespace troupe;

namespace {

LinePlot small_plot() {
  return {.title = "Loss", .x = {.label = "step"}, .y = {.label = "loss"}, .lines = {{.x = {0, 100}, .y = {1, 0}}}};
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t place = 0; (place = text.find(part, place)) != std::string::npos; place += part.size()) {
    ++found;
  }
  return found;
}

void check_refused(const LinePlot& plot, const char* what) {
  CHECK_THROWS_WITH_AS(to_svg(plot), doctest::Contains(what), ConfigError);
}

}  // namespace

TEST_CASE("a line goes through its points: its ends are the corners of the axes") {
  const std::string svg = to_svg(small_plot());
  CHECK(xml_error(svg).empty());
  CHECK(svg.find("points=\"72.00,40.00 696.00,384.00\"") != std::string::npos);
  CHECK(svg.find("<title>Loss</title>") != std::string::npos);
  CHECK(svg.find(">step</text>") != std::string::npos);
  CHECK(svg.find(">loss</text>") != std::string::npos);
  CHECK(svg.find(">100</text>") != std::string::npos);
  CHECK(svg == to_svg(small_plot()));
}

TEST_CASE("on a logarithmic axis equal factors are equal distances") {
  auto plot = small_plot();
  plot.x.scale = AxisScale::kLog10;
  plot.lines = {{.x = {1e-5, 1e-3, 1e-1}, .y = {1, 0.5, 0}}};
  const std::string svg = to_svg(plot);
  CHECK(svg.find("points=\"72.00,40.00 384.00,212.00 696.00,384.00\"") != std::string::npos);
  CHECK(svg.find(">1e-3</text>") != std::string::npos);
}

TEST_CASE("a mark is a dot at its point with its text, and both axes have room for it") {
  auto plot = small_plot();
  plot.marks = {{25, 0.5, "here"}, {200, 0.5, "there"}};
  const std::string svg = to_svg(plot);
  CHECK(svg.find("<circle cx=\"150.00\" cy=\"212.00\" r=\"4\"") != std::string::npos);
  CHECK(svg.find("<circle cx=\"696.00\"") != std::string::npos);
  CHECK(svg.find("text-anchor=\"start\" fill=\"#B00020\">here</text>") != std::string::npos);
  CHECK(svg.find("text-anchor=\"end\" fill=\"#B00020\">there</text>") != std::string::npos);
  CHECK(count(svg, "<circle") == 2);
}

TEST_CASE("a line of one point is a dot, and labelled lines have a legend in their colours") {
  auto plot = small_plot();
  plot.lines = {{.x = {1}, .y = {2}, .label = "one"}, {.x = {1, 2}, .y = {3, 4}, .label = "two"}};
  const std::string svg = to_svg(plot);
  CHECK(count(svg, "<circle") == 1);
  CHECK(count(svg, "#0072B2") == 3);  // Line, dot, legend.
  CHECK(count(svg, "#D55E00") == 2);
  CHECK(svg.find(">two</text>") != std::string::npos);
}

TEST_CASE("the document is well formed whatever its texts hold") {
  const std::string nasty = "</text> & \"q\" <b \xFF \x01";
  auto plot = small_plot();
  plot.title = plot.x.label = plot.y.label = plot.lines[0].label = nasty;
  plot.marks = {{1, 1, nasty}};
  CHECK(xml_error(to_svg(plot)).empty());
  CHECK(count(to_svg(plot), "&lt;/text&gt; &amp; &quot;q&quot; &lt;b") == 7);  // The title and the mark twice.
}

TEST_CASE("the checker of these tests sees what is not well formed") {
  const std::string start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
  CHECK(xml_error(start + "<a b=\"c > d\"><e/>f</a>\n").empty());
  for (const char* rest :
       {"<a>", "<a></b>", "</a>", "<a/><b/>", "<a>&x</a>", "<a b=\"&\"/>", "<a b=\"<\"/>", "<a", "a"}) {
    CAPTURE(rest);
    CHECK_FALSE(xml_error(start + rest).empty());
  }
}

TEST_CASE("a plot that cannot be drawn is refused") {
  auto plot = small_plot();
  plot.lines.clear();
  check_refused(plot, "there is no line to draw");
  plot.lines = {{.x = {}, .y = {}}};
  check_refused(plot, "has 0 x and 0 y values");
  plot.lines = {{.x = {1, 2}, .y = {1}, .label = "a"}};
  check_refused(plot, "line 'a' has 2 x and 1 y values");
  plot.lines = {{.x = {1}, .y = {std::numeric_limits<double>::quiet_NaN()}}};
  check_refused(plot, "the y axis has the value nan");
  plot = small_plot();
  plot.x.scale = AxisScale::kLog10;
  check_refused(plot, "the x axis has the value 0; on a logarithmic axis");
  plot = small_plot();
  plot.marks = {{std::numeric_limits<double>::infinity(), 1}};
  check_refused(plot, "the x axis has the value inf");
  plot = small_plot();
  plot.height = 100;
  check_refused(plot, "720 by 100 pixels is too small");
}
