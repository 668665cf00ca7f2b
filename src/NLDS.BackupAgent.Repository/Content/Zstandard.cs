using System.Runtime.InteropServices;

namespace NLDS.BackupAgent.Repository.Content;

/// <summary>The part of libzstd's stable interface (zstd.h, 1.4 and later) that is used here.</summary>
internal static partial class Zstandard
{
    private const string Library = "libzstd.so.1";

    public const int CompressionLevel = 100;
    public const int ChecksumFlag = 201;
    public const int Workers = 400;
    public const int JobSize = 401;

    public const int Continue = 0;
    public const int End = 2;

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct Buffer
    {
        public byte* Bytes;
        public nuint Size;
        public nuint Position;
    }

    [LibraryImport(Library, EntryPoint = "ZSTD_createCCtx")]
    public static partial nint CreateCompressor();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeCCtx")]
    public static partial nuint FreeCompressor(nint context);

    [LibraryImport(Library, EntryPoint = "ZSTD_CCtx_setParameter")]
    public static partial nuint SetParameter(nint context, int parameter, int value);

    [LibraryImport(Library, EntryPoint = "ZSTD_compressStream2")]
    public static unsafe partial nuint Compress(nint context, Buffer* output, Buffer* input, int directive);

    [LibraryImport(Library, EntryPoint = "ZSTD_compress2")]
    public static unsafe partial nuint CompressFrame(nint context, byte* stored, nuint room, byte* content, nuint size);

    /// <summary>The most that a frame of so much content takes.</summary>
    [LibraryImport(Library, EntryPoint = "ZSTD_compressBound")]
    public static partial nuint FrameBound(nuint size);

    [LibraryImport(Library, EntryPoint = "ZSTD_createDCtx")]
    public static partial nint CreateDecompressor();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeDCtx")]
    public static partial nuint FreeDecompressor(nint context);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressStream")]
    public static unsafe partial nuint Decompress(nint context, Buffer* output, Buffer* input);

    [LibraryImport(Library, EntryPoint = "ZSTD_isError")]
    private static partial uint IsError(nuint code);

    [LibraryImport(Library, EntryPoint = "ZSTD_getErrorName")]
    private static partial nint ErrorName(nuint code);

    /// <exception cref="InvalidDataException">libzstd refused; for a decompressor that means damaged input.</exception>
    public static nuint Check(nuint code) => IsError(code) == 0
        ? code
        : throw new InvalidDataException($"zstd: {Marshal.PtrToStringUTF8(ErrorName(code))}");
}
