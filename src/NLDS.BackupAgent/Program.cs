using NLDS.BackupAgent;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Features;

using var stop = new CancellationTokenSource();
using var signals = WalFetchCommand.IsMeantBy(args) ? null : StopSignals.Cancelling(stop);
return await new CommandLine(House(), Surroundings.OfThisProcess()).InvokeAsync(args, stop.Token);

internal partial class Program
{
    /// <summary>The house, floor by floor.</summary>
    internal static FeatureList House() => new();
}
