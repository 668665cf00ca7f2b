using System.Globalization;
using System.Text;
using NLDS.BackupAgent.Repository.Backups;
using NLDS.BackupAgent.Repository.Retention;

namespace NLDS.BackupAgent.Repository.Tests.Retention;

/// <summary>Decisions as text, and the texts that were looked at and found right. With NLDS_GOLDEN=DIRECTORY what a test got is written there, to be looked at.</summary>
internal static class Golden
{
    public static void Require(string name, IReadOnlyList<RetentionDecision> decisions)
    {
        var text = Write(decisions);
        if (Environment.GetEnvironmentVariable("NLDS_GOLDEN") is { Length: > 0 } directory)
        {
            File.WriteAllText(Path.Combine(directory, name + ".txt"), text);
        }

        using var golden = typeof(Golden).Assembly.GetManifestResourceStream($"{typeof(Golden).Namespace}.Golden.{name}.txt");
        text.ShouldBe(new StreamReader(golden.ShouldNotBeNull(name)).ReadToEnd(), name);
    }

    private static string Write(IReadOnlyList<RetentionDecision> decisions)
    {
        var text = new StringBuilder().AppendLine(CultureInfo.InvariantCulture, $"{decisions.Count(d => d.IsKept)} of {decisions.Count} kept");
        foreach (var decision in decisions.Reverse())
        {
            text.Append(decision.Id).Append(decision.IsKept ? " keep " : " gone ").AppendLine(decision.IsKept ? string.Join(", ", decision.KeptBecause) : decision.GoesBecause);
        }

        return text.ToString();
    }
}

/// <summary>Backups that a policy is tried on.</summary>
internal static class Histories
{
    public static DateTimeOffset Utc(string time) => DateTimeOffset.Parse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    public static RetentionCandidate At(DateTimeOffset began) => new(BackupId.At(began), began.AddMinutes(20));

    /// <summary>One at each step, both ends included.</summary>
    public static IEnumerable<RetentionCandidate> Every(TimeSpan step, string from, string to)
    {
        for (var time = Utc(from); time <= Utc(to); time += step)
        {
            yield return At(time);
        }
    }

    public static IEnumerable<RetentionCandidate> Daily(string from, string to) => Every(TimeSpan.FromDays(1), from, to);
}
