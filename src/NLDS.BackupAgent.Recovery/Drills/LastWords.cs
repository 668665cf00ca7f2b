using NLDS.BackupAgent.Recovery.Runbooks;

namespace NLDS.BackupAgent.Recovery.Drills;

/// <summary>Hears what a step says, and remembers the end of it.</summary>
internal sealed class LastWords(RecoveryWatch watch)
{
    /// <summary>As much as a diagnosis of a few pods says.</summary>
    private const int Most = 30;

    private readonly Queue<string> lines = new();

    public RecoveryWatch Watch => watch with { Say = Hear };

    public string Words => string.Join(' ', lines.Select(line => line.Trim()));

    private void Hear(string line)
    {
        if (lines.Count == Most)
        {
            lines.Dequeue();
        }

        lines.Enqueue(line);
        watch.Say(line);
    }
}
