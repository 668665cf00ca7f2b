namespace NLDS.BackupAgent.Health;

/// <summary>What <c>/healthz/live</c> and <c>/healthz/ready</c> serve.</summary>
/// <param name="Status"><c>alive</c> or <c>stuck</c>, <c>ready</c> or <c>not ready</c>.</param>
/// <param name="Reasons">One sentence for each reason why it is stuck or not ready.</param>
internal sealed record HealthDocument(string Status, IReadOnlyList<string> Reasons);
