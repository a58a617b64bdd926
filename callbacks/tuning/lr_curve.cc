#include "troupe/callbacks/tuning/lr_curve.h"

#include <cmath>
#include <utility>

#include "troupe/runtime/base/number_text.h"
#include "troupe/runtime/plot/line_plot.h"

namespace troupe {

std::string lr_curve_csv(const LrCurve& curve) {
  std::string csv = "lr,loss,smoothed_loss\n";
  for (size_t i = 0; i < curve.rates.size(); ++i) {
    csv.append(shortest_text(curve.rates[i])).append(",");
    csv.append(shortest_text(curve.losses[i])).append(",");
    csv.append(shortest_text(curve.smoothed_losses[i])).append("\n");
  }
  return csv;
}

std::string lr_curve_svg(const LrCurve& curve, LrSpacing spacing) {
  PlotLine line;
  for (size_t i = 0; i < curve.rates.size(); ++i) {
    if (std::isfinite(curve.smoothed_losses[i])) {
      line.x.push_back(curve.rates[i]);
      line.y.push_back(curve.smoothed_losses[i]);
    }
  }
  if (line.x.empty()) {
    return {};
  }
  LinePlot plot{
      .title = "Learning-rate sweep",
      .x = {.label = "learning rate", .scale = spacing == LrSpacing::kLinear ? AxisScale::kLinear : AxisScale::kLog10},
      .y = {.label = "smoothed loss"}};
  plot.lines.push_back(std::move(line));
  if (curve.suggestion) {
    const double rate = curve.rates[*curve.suggestion];
    plot.marks.push_back({rate, curve.smoothed_losses[*curve.suggestion], shortest_text(rate)});
  }
  return to_svg(plot);
}

}  // namespace troupe
