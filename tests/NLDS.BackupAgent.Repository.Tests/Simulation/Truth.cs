using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Log;
using NLDS.BackupAgent.Repository.Tests.Log;

namespace NLDS.BackupAgent.Repository.Tests.Simulation;

/// <summary>What really happened, whatever the agents believe: the server's log, and everything that was promised to anybody.</summary>
internal sealed class Truth(int seed)
{
    public const string Lineage = "A1";
    public const int SegmentBytes = 4 << 10;
    private const int BlockBytes = 256;

    public static FixedNaming Naming { get; } = new(SegmentBytes);

    /// <summary>How far the server has written its log.</summary>
    public ulong Written { get; private set; }

    /// <summary>Everything before this was acknowledged to the server, which may have forgotten it.</summary>
    public ulong Acknowledged { get; set; }

    /// <summary>The server has its log from here on: a slot keeps whole segments.</summary>
    public ulong ServerHas { get; private set; }

    /// <summary>What the server threw away before it was durable anywhere else.</summary>
    public List<LogRange> Lost { get; } = [];

    /// <summary>Backups that somebody was told are held, and nobody has asked to release.</summary>
    public HashSet<BackupId> Held { get; } = [];

    /// <summary>Every backup whose seal was reported as done.</summary>
    public HashSet<BackupId> Sealed { get; } = [];

    public void Write(int bytes) => Written += (ulong)bytes;

    /// <summary>The server's log, half noise and half not, the same for ever at every position.</summary>
    public byte[] Content(ulong start, ulong end)
    {
        var content = new byte[end - start];
        var block = new byte[BlockBytes];
        for (var at = start - (start % BlockBytes); at < end; at += BlockBytes)
        {
            var random = new Random((seed * 1_000_003) ^ (int)(at / BlockBytes));
            if (random.Next(2) == 0)
            {
                random.NextBytes(block);
            }
            else
            {
                Array.Fill(block, (byte)random.Next(256));
            }

            for (var i = 0ul; i < BlockBytes; i++)
            {
                if (at + i >= start && at + i < end)
                {
                    content[at + i - start] = block[i];
                }
            }
        }

        return content;
    }

    /// <summary>The server keeps its log from the segment of what was acknowledged on.</summary>
    public void Forget() => ServerHas = Math.Max(ServerHas, Acknowledged - (Acknowledged % SegmentBytes));

    /// <summary>The slot went: what was not durable is gone with it, and the server's log goes on in a new segment.</summary>
    /// <param name="durable">How far the store has it; a put whose answer was lost makes durable what nobody acknowledged.</param>
    public void LoseSlot(ulong durable)
    {
        var next = ((Written / SegmentBytes) + 1) * SegmentBytes;
        Lost.Add(new LogRange(Math.Max(Acknowledged, durable), next));
        Written = ServerHas = next;
    }
}
