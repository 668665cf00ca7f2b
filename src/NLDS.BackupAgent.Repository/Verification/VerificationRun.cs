using NLDS.BackupAgent.Repository.Sources;

namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>What one verification has read and found so far. May be used from any thread.</summary>
public sealed class VerificationRun(string source, VerifyScope scope, IProgress<TransferProgress> progress, TimeProvider clock)
{
    private const long ReportEvery = 16 << 20;

    private readonly Lock gate = new();
    private readonly List<DamageFinding> damage = [];
    private readonly List<string> notes = [];
    private int objects;
    private int believed;
    private long storedBytes;
    private long contentBytes;

    public string Source { get; } = source;

    public VerifyScope Scope { get; } = scope;

    /// <summary>The time that its proofs bear: nothing that changes later is covered by them.</summary>
    public DateTimeOffset Began { get; } = clock.GetUtcNow();

    /// <summary>Content has been read and looked at.</summary>
    public void Read(long bytes)
    {
        var total = Interlocked.Add(ref contentBytes, bytes);
        if (total / ReportEvery != (total - bytes) / ReportEvery)
        {
            progress.Report(new TransferProgress("verify", total, null));
        }
    }

    /// <summary>A whole object was read and is sound.</summary>
    public void Sound(long bytes)
    {
        Interlocked.Increment(ref objects);
        Interlocked.Add(ref storedBytes, bytes);
    }

    /// <summary>So many objects were not read, because a proof tells of them.</summary>
    public void Believe(int count) => Interlocked.Add(ref believed, count);

    public void Add(DamageFinding finding)
    {
        lock (gate)
        {
            damage.Add(finding);
        }
    }

    public void Note(string text)
    {
        lock (gate)
        {
            notes.Add(text);
        }
    }

    public VerifyReport Report()
    {
        lock (gate)
        {
            return new VerifyReport(Source, objects, storedBytes, contentBytes, [.. damage]) { ObjectsBelieved = believed, Notes = [.. notes] };
        }
    }
}
