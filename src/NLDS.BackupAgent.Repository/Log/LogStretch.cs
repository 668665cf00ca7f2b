using System.Buffers;

namespace NLDS.BackupAgent.Repository.Log;

/// <summary>Compressed bytes of a stretch of log that is held in memory until it is put, with the event times inside it.</summary>
internal sealed class LogStretch(ulong start)
{
    private readonly ArrayBufferWriter<byte> stored = new();

    public ulong Start { get; private set; } = start;

    public LogTimes Times { get; private set; }

    public int StoredBytes => stored.WrittenCount;

    public void Append(ReadOnlySpan<byte> bytes) => stored.Write(bytes);

    public void Include(LogTimes times) => Times = Times.Include(times);

    /// <summary>A copy that stays as it is when the stretch goes on.</summary>
    public byte[] Copy() => stored.WrittenSpan.ToArray();

    public void Restart(ulong start)
    {
        Start = start;
        Times = default;
        stored.ResetWrittenCount();
    }
}
