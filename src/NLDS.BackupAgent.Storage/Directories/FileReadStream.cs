using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace NLDS.BackupAgent.Storage.Directories;

/// <summary>A range of an object's file. A file that ends before it should was cut by someone, and that is an error.</summary>
internal sealed class FileReadStream(SafeFileHandle handle, string root, ObjectKey key, long position, long end, string version)
    : ForwardReadStream
{
    private long position = position;

    public override string? Version => version;

    public static FileReadStream Open(string path, string root, ObjectKey key, long offset, long? length)
    {
        var handle = File.OpenHandle(
            path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.Asynchronous | FileOptions.SequentialScan);
        var size = RandomAccess.GetLength(handle);
        var start = Math.Min(offset, size);
        var end = start + Math.Min(length ?? size, size - start);
        var version = string.Create(CultureInfo.InvariantCulture, $"{File.GetLastWriteTimeUtc(handle).Ticks}.{size}");
        return new FileReadStream(handle, root, key, start, end, version);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var wanted = (int)Math.Min(buffer.Length, end - position);
        if (wanted == 0)
        {
            return 0;
        }

        var read = await ReadSomeAsync(buffer[..wanted], cancellationToken);
        if (read == 0)
        {
            throw new ObjectStoreException(
                $"'{key}' in {root} ended at byte {position}, {end - position} bytes too early. Something else has cut the file.", isPermanent: false);
        }

        position += read;
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        handle.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask<int> ReadSomeAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await RandomAccess.ReadAsync(handle, buffer, position, cancellationToken);
        }
        catch (IOException failure)
        {
            throw DirectoryFaults.From(root, $"Reading '{key}' at byte {position}", failure);
        }
    }
}
