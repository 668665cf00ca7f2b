namespace NLDS.BackupAgent.Repository.Verification;

/// <summary>What a source knows of its log beyond the hashes of its pieces, made anew for each stretch that is read without a hole.</summary>
public interface ILogCheck
{
    /// <summary>The next bytes, which lie at <paramref name="position"/>; they may overlap those before, and then are the same.</summary>
    void Feed(ulong position, ReadOnlySpan<byte> bytes);

    /// <summary>What makes no sense in what was fed so far, or null.</summary>
    string? Fault { get; }
}
