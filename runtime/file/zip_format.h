#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe {

// Numbers of the zip format, by the names of PKWARE's APPNOTE.TXT 6.3.

inline constexpr uint32_t kLocalHeaderSignature = 0x04034b50;
inline constexpr uint32_t kCentralHeaderSignature = 0x02014b50;
inline constexpr uint32_t kEndSignature = 0x06054b50;
inline constexpr uint32_t kEnd64Signature = 0x06064b50;
inline constexpr uint32_t kLocator64Signature = 0x07064b50;

inline constexpr size_t kLocalHeaderBytes = 30;
inline constexpr size_t kCentralHeaderBytes = 46;
inline constexpr size_t kEndBytes = 22;
inline constexpr size_t kEnd64Bytes = 56;
inline constexpr size_t kLocator64Bytes = 20;

inline constexpr uint16_t kZip64Extra = 0x0001;  ///< Extra field with the sizes and offsets that 32 bits cannot hold.
inline constexpr uint16_t kVersionPlain = 20;    ///< Needed to read an entry without zip64,
inline constexpr uint16_t kVersionZip64 = 45;    ///< and one with it.
inline constexpr uint16_t kEncrypted = 0x0001;   ///< Flags of an entry.
inline constexpr uint16_t kDescriptor = 0x0008;  ///< Sizes and CRC stand behind the data.
inline constexpr uint16_t kUtf8Name = 0x0800;
inline constexpr uint16_t kFull16 = 0xffff;  ///< "See zip64".
inline constexpr uint32_t kFull32 = 0xffffffff;

}  // namespace troupe
