using NLDS.BackupAgent.Redis.CommandStream;
using NLDS.BackupAgent.Redis.Protocol;
using NLDS.BackupAgent.Repository.Verification;

namespace NLDS.BackupAgent.Redis.Verification;

/// <summary>
/// A stretch of the stream is made of commands. Where in it one begins is known only at the offset of a base, so the look begins at the first that lies in the stretch;
/// what is before it is vouched for by its seal alone, as it was by the agent that received it.
/// </summary>
/// <param name="bases">Offsets of bases in this history, in order.</param>
internal sealed class CommandCheck(ulong start, IReadOnlyList<ulong> bases) : ILogCheck
{
    private readonly ulong begin = bases.FirstOrDefault(offset => offset >= start, ulong.MaxValue);
    private CommandScanner? scanner;

    public string? Fault { get; private set; }

    public void Feed(ulong position, ReadOnlySpan<byte> bytes)
    {
        var from = scanner?.Position ?? begin;
        if (Fault is not null || from < position || from >= position + (ulong)bytes.Length)
        {
            return;
        }

        scanner ??= new CommandScanner(begin, _ => { });
        try
        {
            scanner.Feed(bytes[(int)(from - position)..]);
        }
        catch (ProtocolException nonsense)
        {
            Fault = $"offset {scanner.Position}: {nonsense.Message}";
        }
    }
}
