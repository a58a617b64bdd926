"""TensorBoard's own reader finds in what TensorBoardLogger writes every value that was logged, once, at its step: scalars as JSONLogger
has them, histograms, pixels, texts, hyperparameters. Exits with 77, which CTest reports as skipped, where TensorBoard is not there.

Usage: python3 check_tensorboard.py LOGGED_RUN
"""

import collections
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

try:
    import numpy
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.plugins.hparams import plugin_data_pb2
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

EPOCHS = 3
STEPS = 5  # An epoch.


def pixels_of(png):
    """Height x width x channels of a PNG of 8 bits, by the standard: no part of Troupe is used."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = [], 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        (checksum,) = struct.unpack(">I", png[at + 8 + size : at + 12 + size])
        assert zlib.crc32(kind + data) == checksum, kind
        chunks.append((kind, data))
        at += 12 + size
    assert [kind for kind, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, interlaced) == (8, 0)
    channels = {0: 1, 4: 2, 2: 3, 6: 4}[colour]
    rows = numpy.frombuffer(zlib.decompress(chunks[1][1]), numpy.uint8).reshape(height, 1 + width * channels)
    assert (rows[:, 0] == 1).all()  # The filter that the rows were written with: differences to the left.
    return numpy.cumsum(rows[:, 1:].reshape(height, width, channels), axis=1, dtype=numpy.uint8)


def check_scalars(board, lines):
    wanted = collections.defaultdict(list)
    for line in lines:
        for name, value in line.items():
            if name not in ("epoch", "step"):
                wanted[name].append((line["step"], numpy.float32(value)))
    assert sorted(board.Tags()["scalars"]) == sorted(wanted), (board.Tags()["scalars"], sorted(wanted))
    for name, points in wanted.items():
        found = [(point.step, numpy.float32(point.value)) for point in board.Scalars(name)]
        assert found == points, (name, found, points)
        times = [point.wall_time for point in board.Scalars(name)]
        assert times == sorted(times) and times[0] > 1.7e9, times
    assert len(wanted["loss_step"]) == EPOCHS * STEPS and len(wanted["loss_epoch"]) == EPOCHS
    # What is measured comes when the observer gets there: what came after the checkpoint, the run has not.
    assert [value for _, value in wanted["gauge"]][-2:] == [1.5, 2.5] and len(wanted["gauge"]) <= EPOCHS, wanted["gauge"]
    return sum(map(len, wanted.values()))


def check_histograms(board):
    found = board.Histograms("values")
    assert [event.step for event in found] == [epoch * STEPS for epoch in range(EPOCHS)]
    for epoch, event in enumerate(found):
        values = numpy.arange(101) * (epoch + 1.0)
        counts, edges = numpy.histogram(values, bins=10)
        histogram = event.histogram_value
        assert histogram.bucket == list(counts), (histogram.bucket, counts)
        numpy.testing.assert_allclose(histogram.bucket_limit, edges[1:])
        assert (histogram.min, histogram.max, histogram.num) == (values.min(), values.max(), len(values))
        assert (histogram.sum, histogram.sum_squares) == (values.sum(), (values**2).sum())


def check_images(board):
    for name in ("bytes", "floats"):
        found = board.Images(name)
        assert [event.step for event in found] == [epoch * STEPS for epoch in range(EPOCHS)]
        for epoch, event in enumerate(found):
            picture = (numpy.arange(3 * 4 * 5) * 3 + epoch).astype(numpy.uint8).reshape(3, 4, 5)
            assert (event.height, event.width) == (4, 5)
            assert (pixels_of(event.encoded_image_string) == picture.transpose(1, 2, 0)).all(), name


def check_texts(board):
    found = board.Tensors("note")
    assert board.SummaryMetadata("note").plugin_data.plugin_name == "text"
    texts = [(event.step, event.tensor_proto.string_val[0].decode()) for event in found]
    assert texts == [(epoch * STEPS, f"epoch {epoch}") for epoch in range(EPOCHS)], texts


def plugin_data(board, tag):
    content = board.SummaryMetadata(tag).plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)


def check_hyperparameters(board, config):
    started = plugin_data(board, "_hparams_/session_start_info").session_start_info
    assert started.start_time_secs > 1.7e9
    for name, value in config["trainer"].items():
        if isinstance(value, (int, float, str)):
            kind = "bool_value" if isinstance(value, bool) else "string_value" if isinstance(value, str) else "number_value"
            assert getattr(started.hparams["trainer." + name], kind) == value, name
    assert started.hparams["trainer.max_epochs"].number_value == EPOCHS
    ended = plugin_data(board, "_hparams_/session_end_info").session_end_info
    assert ended.status == 1, ended  # STATUS_SUCCESS
    assert ended.end_time_secs >= started.start_time_secs


def check(run):
    board = event_accumulator.EventAccumulator(str(run / "tensorboard"), size_guidance=event_accumulator.STORE_EVERYTHING_SIZE_GUIDANCE)
    board.Reload()
    points = check_scalars(board, [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()])
    check_histograms(board)
    check_images(board)
    check_texts(board)
    check_hyperparameters(board, json.loads((run / "config.json").read_text()))
    print(f"TensorBoard reads {points} scalars, and every histogram, image, text and hyperparameter")


with tempfile.TemporaryDirectory() as temporary:
    run = pathlib.Path(temporary) / "run"
    subprocess.run([sys.argv[1], str(run)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    check(run)
