using NLDS.BackupAgent;
using NLDS.BackupAgent.Commands;
using NLDS.BackupAgent.Features;

// The house, floor by floor.
var features = new FeatureList();

using var stop = new CancellationTokenSource();
using var signals = WalFetchCommand.IsMeantBy(args) ? null : StopSignals.Cancelling(stop);
return await new CommandLine(features, Surroundings.OfThisProcess()).InvokeAsync(args, stop.Token);
