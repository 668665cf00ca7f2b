using System.Diagnostics.CodeAnalysis;

namespace NLDS.BackupAgent.Recovery.Scenarios;

/// <summary>A workload as kubectl takes it: <c>deployments/nlds-api</c>.</summary>
/// <param name="Resource"><c>deployments</c> or <c>statefulsets</c>.</param>
internal sealed record WorkloadName(string Resource, string Name)
{
    /// <summary>Its kind as a backup of objects names it: <c>deployments.apps</c>.</summary>
    public string Kind => $"{Resource}.apps";

    public static WorkloadName Parse(string text) => TryParse(text, out var name) ? name : throw new ArgumentException($"'{text}' is no workload.", nameof(text));

    public static bool TryParse(string text, [NotNullWhen(true)] out WorkloadName? name)
    {
        name = text.Split('/') is ["deployments" or "statefulsets", { Length: > 0 and <= 253 } last] parts && last.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.')
            ? new WorkloadName(parts[0], last)
            : null;
        return name is not null;
    }

    public override string ToString() => $"{Resource}/{Name}";
}
